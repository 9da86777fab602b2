#!/usr/bin/env python3
"""test_figures.py: what tests/bench/workloads.py makes of the programs' output, without running any."""

import os
import sys
import unittest
import xml.dom.minidom

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "tools", "lib"))
import bench  # noqa: E402

workloads = bench.load("workloads")
chart = sys.modules["chart"]

GOOD = """trapeze: /init\r
fib 1.500 8361 0000000000000a18\r
saxpy-avx2 skip no AVX2\r
list-4k 3.000 100 0000000000000032\r
workloads: 3 run, 0 wrong\r
trapeze: status 0\r
[    3.855918] reboot: Power down\r
"""


class Output(unittest.TestCase):
    def test_figures(self):
        self.assertEqual(workloads.parse("x", GOOD), {"fib": 1.5, "list-4k": 3.0})

    def test_wrong_checksum(self):
        with self.assertRaisesRegex(bench.Failed, "x: a wrong checksum: fib"):
            workloads.parse("x", GOOD.replace("a18", "a19 WRONG").replace("0 wrong", "1 wrong"))

    def test_cut_off(self):
        with self.assertRaisesRegex(bench.Failed, "did not get to its end"):
            workloads.parse("x", GOOD[:GOOD.index("workloads:")])


class Figures(unittest.TestCase):
    def test_smallest(self):
        self.assertEqual(workloads.smallest([{"a": 2.0, "b": 5.0}, {"a": 3.0, "b": 4.0}]), {"a": 2.0, "b": 4.0})

    def test_geometric_mean(self):
        self.assertAlmostEqual(workloads.geometric([2.0, None, 8.0]), 4.0)
        self.assertIsNone(workloads.geometric([None]))

    def test_aims(self):
        self.assertEqual(workloads.missed("fib", "integer", 3, 2.0, 0.5), "")
        self.assertEqual(workloads.missed("fib", "integer", 3, 2.1, 0.5), "2.0 native")
        self.assertEqual(workloads.missed("pipe-ping-pong", "system", 20001, 9, 0.21), "20000 ns, 1/5 TCG")
        self.assertEqual(workloads.missed("fib", "integer", None, None, None), "")


class Picture(unittest.TestCase):
    def test_bars(self):
        rows = [chart.Row("a<b", "integer", {"tcg": 8.0, "dbt": 2.0}, 2.0), chart.Row("c", "fp", {"tcg": None, "dbt": 0.5})]
        picture = xml.dom.minidom.parseString(chart.draw("t", ("tcg", "dbt"), rows))
        bars = {r.getElementsByTagName("title")[0].firstChild.data: r for r in picture.getElementsByTagName("rect")
                if r.getElementsByTagName("title")}
        self.assertEqual(sorted(bars), ["a<b dbt: 2.00", "a<b tcg: 8.00", "c dbt: 0.50"])
        width = {name: float(r.getAttribute("width")) for name, r in bars.items()}
        # The axis is logarithmic: 8 is three times as far from 1 as 2 is, and 1/2 as far on the other side.
        self.assertAlmostEqual(width["a<b tcg: 8.00"], 3 * width["a<b dbt: 2.00"], delta=0.5)
        self.assertAlmostEqual(width["c dbt: 0.50"], width["a<b dbt: 2.00"], delta=0.5)
        self.assertLess(float(bars["c dbt: 0.50"].getAttribute("x")), float(bars["a<b dbt: 2.00"].getAttribute("x")))


if __name__ == "__main__":
    unittest.main()
