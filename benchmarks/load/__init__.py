"""A server under load: executions that come on a schedule, each followed by a reader, beside
thousands of readers that stay. ``python -m benchmarks.load --help``."""
