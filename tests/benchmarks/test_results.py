"""What the benchmark's table says of several rounds."""

from tests.benchmarks.results import Curve, Found, Line, beside, folded


def _round(rate: float, refused: float) -> Found:
    return Found(
        lines=[
            Line(what="rate", value=rate, least=100),
            Line(what="refused", value=refused, most=0, each_round=True),
        ],
        curves=[
            Curve(name="c", title="", across="", up="", series={"one": [(1.0, rate), (2.0, 2 * rate)]}),
        ],
    )


def test_the_median_of_the_rounds_counts_and_one_bad_round_does_not() -> None:
    """A noisy machine may spoil a round."""
    rate = folded([_round(120, 0), _round(90, 0), _round(130, 0)]).lines[0]

    assert (rate.value, rate.reached, rate.spread) == (120, True, "90 to 130")


def test_what_has_to_hold_in_each_round_is_missed_by_one() -> None:
    """No median hides an answer 429."""
    refused = folded([_round(120, 0), _round(120, 3), _round(120, 0)]).lines[1]

    assert (refused.value, refused.reached) == (3, False)


def test_curves_are_folded_point_by_point() -> None:
    """Each point has its own median."""
    curve = folded([_round(10, 0), _round(30, 0), _round(20, 0)]).curves[0]

    assert curve.series == {"one": [(1.0, 20), (2.0, 40)]}


def test_several_rounds_survive_the_file_between_two_calls() -> None:
    """Parts that are measured one after the other add up."""
    found = folded([_round(10, 0), _round(30, 0)])

    assert Found.from_json_dict(found.to_json_dict()).to_json_dict() == found.to_json_dict()


def test_figures_of_another_tree_stand_beside_those_of_the_same_name() -> None:
    """One that the other tree does not measure has none beside it, and none of its own is added."""
    there = Found(lines=[Line(what="rate", value=60), Line(what="only there", value=7)])

    lines = beside(_round(120, 0), there).lines

    assert [(line.what, line.value, line.there) for line in lines] == [
        ("rate", 120, 60),
        ("refused", 0, None),
    ]
