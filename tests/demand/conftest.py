import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # rows_of_sales: the same sales for every test
