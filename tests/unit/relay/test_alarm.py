"""When the alarm of parked messages is raised."""

from outrider.relay.alarm import ParkAlarm


def test_the_alarm_is_raised_at_the_crossing_and_not_while_it_lasts() -> None:
    """OB-42: at `park_alarm` rows, once; again only after there were fewer."""
    alarm = ParkAlarm(3)
    seen = [0, 2, 3, 3, 9, 3, 2, 3, 0, 4]
    assert [alarm.look(parked) for parked in seen] == [
        False, False, True, False, False, False, False, True, False, True,
    ]  # fmt: skip
