"""The `bitquarry` command: one file per verb."""
