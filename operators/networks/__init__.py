"""torch networks from feature rows to real outputs; `network_registry` lists them."""
