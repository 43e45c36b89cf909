"""Scripts for a new GPU: the checks and measurements that need one."""
