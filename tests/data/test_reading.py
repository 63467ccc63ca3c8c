import subprocess
import sys

from segnext.data.reading import read_ahead


def test_reading_ahead_keeps_order_and_hands_errors_to_the_caller() -> None:
    def read(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item * 10

    found = []
    for item, reading in read_ahead(read, range(8), depth=3):
        try:
            found.append((item, reading.result()))
        except ValueError as error:
            found.append((item, str(error)))
    expected = [(i, i * 10) for i in range(8)]
    expected[5] = (5, "five")
    assert found == expected


def test_opening_and_reading_data_needs_no_torch() -> None:
    # Worker processes of preparations and check-ups would load it for nothing.
    code = "import sys, segnext.data, segnext.data.checkup; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
