"""Window samplers, one file each."""
