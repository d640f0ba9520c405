"""What only a GPU can show. Marked ``gpu``; ``RAYSL_TEST_DEVICE=cpu`` runs the same tests on the CPU."""
