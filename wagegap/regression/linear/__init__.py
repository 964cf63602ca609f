"""Linear models of panels and instruments, and the wild cluster bootstrap."""
