"""Scripts with checks and measurements that need a GPU."""
