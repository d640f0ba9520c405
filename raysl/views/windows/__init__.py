"""Window samplers; ``COMPONENTS`` lists the modules that a study can name."""

COMPONENTS = ("global_local",)
