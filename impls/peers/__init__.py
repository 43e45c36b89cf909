"""What people would use instead, written as their own users would write it: the same mathematics left to a framework."""
