"""What `tools/fuzz.py` is made of: valid calls of every public name, ways to spoil them, a judge of what comes back."""
