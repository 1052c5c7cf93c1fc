"""Quality checks of the OHDSI Data Quality Dashboard, computed in one scan a table."""

from omop.quality.checks import Check, checks_of
from omop.quality.results import Result, interpret
from omop.quality.scan import Scan, plan_scan

__all__ = ["Check", "Result", "Scan", "checks_of", "interpret", "plan_scan"]
