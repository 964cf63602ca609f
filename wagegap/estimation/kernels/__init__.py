"""Arrays in, small frozen values out: the numerics of the engine room. Nothing here sees a frame or a model."""
