"""One file per job: opens what it needs and wires actors together."""
