"""What objectives keep between steps: queues, banks, and encoders that follow the trained one."""
