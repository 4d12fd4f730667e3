"""pip, as if it ran on the target: `python pip_for.py MACHINE PYTHON_VERSION install ...`.

pip's --platform chooses the wheels, but the markers of requirements ("platform_machine == 'aarch64'") it reads for the
machine it runs on. They ask the module platform, so that is told what to answer.
"""

import platform
import runpy
import sys

if __name__ == "__main__":
    machine, version = sys.argv[1:3]
    major, minor = version.split(".")
    platform.machine = lambda: machine
    platform.python_version = lambda: f"{version}.0"
    platform.python_version_tuple = lambda: (major, minor, "0")
    sys.argv = ["pip", *sys.argv[3:]]
    sys.path.pop(0)  # this file's own folder
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
