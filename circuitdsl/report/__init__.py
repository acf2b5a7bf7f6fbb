"""A report, a plan and diagnostics for people (terminal, SVG) and for programs (JSON, JUnit, SARIF)."""
