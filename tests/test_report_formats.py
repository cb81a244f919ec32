"""Every format is read back by a reader of its own, and tells the same verdicts and the same numbers."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import junitparser
import pandas as pd
import pytest
from click.testing import CliRunner
from report_records import AWKWARD, HOSTILE, every_kind, failed, finding, parameter, script, undecided
from small_scripts import WRONG  # noqa: F401
