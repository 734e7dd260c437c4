"""What the scripts that break runs on purpose share: a bench to break them on, and what must hold afterwards."""
