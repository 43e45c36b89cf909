"""`python -m bench contribute`: the plan, the measurements, and the directory that it writes."""
