"""A report for programs: JSON, JUnit, SARIF; one file a format."""
