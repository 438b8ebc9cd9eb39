"""Names of downloads say in any script what is in them, and every system takes them."""

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from application.agents.paths import refusal
from application.delivery.names import LONGEST_NAME, file_name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Tool library", "Tool library"),
        ("Werkzeugverleih für Nachbarn", "Werkzeugverleih für Nachbarn"),
        ("Vereinsverwaltung für Mitglieder und Beiträge", "Vereinsverwaltung für"),
        ("حجز إصلاح الدراجات", "حجز إصلاح الدراجات"),
        ("自転車修理の予約", "自転車修理の予約"),
        ("Кабинет: записи / оплата?", "Кабинет записи оплата"),
        ("दुकान का हिसाब", "दुकान का हिसाब"),
        ("Ann's “shop” & café", "Ann s “shop” café"),
        ("CON", "CON feature"),
        ("lpt1.txt", "lpt1 txt"),
        ("Bike.app", "Bike app"),
        ("AGENTS.md", "AGENTS md"),
        ("node_modules", "node_modules feature"),
        ("Ends with dots...", "Ends with dots"),
        (" .hidden ", "hidden"),
        ("-rf ~", "rf"),
        ("a/../../b", "a .. .. b"),
        ("\u202egnp.exe", "gnp exe"),
        ("Mode\u0301", "Modé"),
        ("", "feature"),
        ("???", "feature"),
        ("\0", "feature"),
    ],
)
def test_a_title_is_a_name_that_people_can_read(title, name):
    assert file_name(title) == name


@forall(st.text(max_size=80), st.sampled_from(["", "-not-passed"]))
def test_any_title_is_a_name_that_every_system_takes(title, ending):
    name = file_name(title, ending)
    assert refusal(name) is None
    assert name.endswith(ending)
    assert len(name.encode("utf-16-le")) // 2 <= LONGEST_NAME + len(" feature")
    assert len(name.encode()) <= 255 - len(" (1).bundle")
    assert not set(name) & set("%&^$`!;'<>:\"/\\|?*")
    assert file_name(name) == name or len(name) > LONGEST_NAME or ending


def test_no_letter_is_cut_in_its_middle():
    letter = "я\u0323\u0307"
    assert file_name(letter * 20) == letter * (LONGEST_NAME // len(letter))
    assert file_name("🚲" * 40) == "🚲" * (LONGEST_NAME // 2)
