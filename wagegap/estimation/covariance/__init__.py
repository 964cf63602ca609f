"""How errors are related: options, sources of error, groupings, factors, replicates, resampling."""
