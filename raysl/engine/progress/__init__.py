"""What running cells and Ray report while a run goes on."""
