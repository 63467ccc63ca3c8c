"""What a model costs and how fast it runs: counted, timed in turns, with its peak memory."""

from segnext.benchmark.cases import (
    ALL,
    Case,
    Subject,
    check_options,
    choose_backends,
    find_subjects,
    list_cases,
)
from segnext.benchmark.costs import Costs, ModuleCost, count_costs
from segnext.benchmark.files import save_benchmark
from segnext.benchmark.machine import Machine, describe_machine
from segnext.benchmark.plot import draw_latency
from segnext.benchmark.result import Benchmark, Row
from segnext.benchmark.run import list_unmeasured, run_benchmark
from segnext.benchmark.table import build_module_table, build_table, print_benchmark

__all__ = [
    "ALL",
    "Benchmark",
    "Case",
    "Costs",
    "Machine",
    "ModuleCost",
    "Row",
    "Subject",
    "build_module_table",
    "build_table",
    "check_options",
    "choose_backends",
    "count_costs",
    "describe_machine",
    "draw_latency",
    "find_subjects",
    "list_cases",
    "list_unmeasured",
    "print_benchmark",
    "run_benchmark",
    "save_benchmark",
]
