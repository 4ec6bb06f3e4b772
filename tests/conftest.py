"""What every run of the tests tells at its end."""


def pytest_terminal_summary(terminalreporter):
    """List the exhibits of the museum, each with the check that has found its bug."""
    reports = terminalreporter.stats.get("passed", [])
    lines = {
        value
        for report in reports
        if report.when == "call"
        for key, value in report.user_properties
        if key == "exhibit"
    }
    if lines:
        terminalreporter.section("the museum of broken servers")
        for number, line in sorted(lines):
            terminalreporter.write_line(f"exhibit {number}: {line}")
