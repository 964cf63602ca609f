"""The commands: run, init, check, datasets, schema, completion."""
