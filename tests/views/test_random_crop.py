from __future__ import annotations

import math

import numpy as np
from scipy import stats

from raysl.streams import stream
from raysl.testing.drawn import drawn
from raysl.views.random_crop import draw_crop

SIZE, AREA, ASPECT = (1, 300), (0.01, 1.0), (0.1, 10.0)


def test_lies_inside_the_frame() -> None:
    for height, width, *ends, key in drawn(50, SIZE, SIZE, AREA, AREA, ASPECT, ASPECT, (0, 50)):
        area, aspect = (min(ends[:2]), max(ends[:2])), (min(ends[2:]), max(ends[2:]))
        top, left, box_height, box_width = draw_crop(height, width, area, aspect, stream(key))
        assert 0 <= top <= top + box_height <= height
        assert 0 <= left <= left + box_width <= width
        assert box_height >= 1
        assert box_width >= 1


def test_area_aspect_and_place_follow_their_laws() -> None:
    # Small boxes of a large frame always fit, so that no law is bent by rejection.
    side = 4000
    boxes = np.array([draw_crop(side, side, (0.1, 0.3), (0.5, 2.0), stream("law", i)) for i in range(3000)])
    top, left, height, width = boxes.T.astype(float)
    area = height * width / side**2
    assert stats.kstest((area - 0.1) / 0.2, "uniform").pvalue > 1e-3
    assert stats.kstest((np.log(width / height) + math.log(2)) / (2 * math.log(2)), "uniform").pvalue > 1e-3
    assert stats.kstest(top / (side - height), "uniform").pvalue > 1e-3
    assert stats.kstest(left / (side - width), "uniform").pvalue > 1e-3


def test_the_number_of_draws_does_not_depend_on_the_frame() -> None:
    after = []
    for height, width in ((100, 100), (2, 300), (300, 2)):
        generator = stream("draws")
        draw_crop(height, width, (0.3, 1.0), (0.5, 2.0), generator)
        after.append(generator.random())
    assert len(set(after)) == 1


def test_whole_is_the_largest_square_placed_along_the_long_side() -> None:
    boxes = [draw_crop(100, 160, (0.2, 0.5), (0.5, 2.0), stream("whole", i), whole=True) for i in range(2000)]
    assert {(top, height, width) for top, _, height, width in boxes} == {(0, 100, 100)}
    assert stats.kstest([(left + 0.5) / 61 for _, left, _, _ in boxes], "uniform").pvalue > 1e-3
    one, other = stream("same draws"), stream("same draws")
    draw_crop(100, 160, (0.2, 0.5), (0.5, 2.0), one, whole=True)
    draw_crop(100, 160, (0.2, 0.5), (0.5, 2.0), other)
    assert one.random() == other.random()


def test_where_no_box_fits_the_largest_at_the_centre_is_taken() -> None:
    assert draw_crop(10, 200, (1.0, 1.0), (0.5, 2.0), stream(0)) == (0, 90, 10, 20)
    assert draw_crop(200, 10, (1.0, 1.0), (0.5, 2.0), stream(0)) == (90, 0, 20, 10)
