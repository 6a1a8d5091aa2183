"""`edge-agent doctor`: a site check. Each check is a small function that gives findings; nothing is changed."""

from edge_agent.doctor.examination import examine
from edge_agent.doctor.finding import Finding, Verdict, exit_code

__all__ = ["Finding", "Verdict", "examine", "exit_code"]
