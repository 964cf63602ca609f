"""The engine room: designs, least squares, covariances, and `Estimates`, the waist of the package."""
