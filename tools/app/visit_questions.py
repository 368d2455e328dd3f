"""What a visit asks in a box of its own: why to go on all the same, and what happened at a stop."""

# pyright: basic

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QInputDialog, QLineEdit, QWidget

PAGES = "Page (*.pdf);;Page for a browser (*.html)"
DESPITE = " (--despite)"
"""What the messages of `rom visit` say where a reason lets pass; here a box asks for it."""
STOP_QUESTIONS = ("What happened?", "What was done?", "Who was told?")


def ask_reason(parent: QWidget, problem: str) -> str:
    """Ask why to go on where the visit only lets pass with a reason; empty for not at all."""
    if DESPITE not in problem:
        return ""
    question = f"{problem.replace(DESPITE, '')}\n\nWhy go on? It is written down."
    text, said = QInputDialog.getText(parent, "Go on all the same?", question)
    return text.strip() if said else ""


def ask_who_goes_on(parent: QWidget, clinician: str) -> tuple[str, str] | None:
    """Ask who answers for going on past a stop of the screening, and why; None for not at all."""
    who, given = QInputDialog.getText(
        parent, "Go on past the stop", "Who answers for it?", QLineEdit.EchoMode.Normal, clinician
    )
    if not given or not who.strip():
        return None
    why, given = QInputDialog.getText(parent, "Go on past the stop", "Why? It is written down.")
    return (who.strip(), why.strip()) if given and why.strip() else None


def ask_stop(parent: QWidget) -> list[str]:
    """Ask what happened, what was done and who was told; nothing if the person thought better of it."""
    said: list[str] = []
    for question in STOP_QUESTIONS:
        text, given = QInputDialog.getText(parent, "Stop for safety", question)
        if not given:
            return []
        said.append(text)
    return said


def ask_page(parent: QWidget) -> Path | None:
    """Ask where the page for the chart goes; None if nowhere."""
    name, _ = QFileDialog.getSaveFileName(parent, "Page for the chart", "", PAGES)
    return Path(name) if name else None
