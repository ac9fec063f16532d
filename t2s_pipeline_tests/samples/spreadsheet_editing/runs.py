"""One attempt at one job: look, write code, put right what Python refuses, perhaps verify, submit."""

from __future__ import annotations

from pathlib import Path

from t2s_pipeline_tests.samples.attempt import Attempt, Reply, Turn
from t2s_pipeline_tests.samples.draw import happens, pick
from t2s_pipeline_tests.samples.spreadsheet_editing.agents import Editor
from t2s_pipeline_tests.samples.spreadsheet_editing.coding import (
    Draft,
    Loading,
    chosen_box,
    code_for,
    verify_code,
)
from t2s_pipeline_tests.samples.spreadsheet_editing.desk import Desk
from t2s_pipeline_tests.samples.spreadsheet_editing.task import SheetTask, passes
from t2s_pipeline_tests.samples.spreadsheet_editing.voice import say

SYSTEM = (
    "You edit the Excel workbook book.xlsx in the current folder. Use inspect_workbook and read_rows "
    "to look, "
    "run_python (openpyxl is installed; every call starts afresh from the file) to edit, "
    "reset_workbook to go back "
    "to the original, and submit when the file on disk is right."
)


class EditRun:
    """The state of one attempt."""

    def __init__(self, task: SheetTask, editor: Editor, trial: int, folder: Path) -> None:
        self.task, self.editor = task, editor
        self.desk = Desk(folder, task.original())
        self.name = (task.task_id, editor.name, trial)
        self.attempt = Attempt(
            task.task_id, trial, editor.name, SYSTEM, task.instruction, max_calls=editor.max_calls
        )
        self.inspected = self.knows_name = self.saw_formulas = self.saw_total = self.touched = False
        self.draft = Draft("plain", True, True)

    def _happens(self, probability: float, *what: object) -> bool:
        return happens(probability, *self.name, *what)

    def _say(self, situation: str, **values: str) -> str:
        book = self.task.book
        common = {
            "topic": self.task.topic,
            "sheet": book.sheet,
            "column": book.columns[-1],
            "box": self.task.box,
        }
        return say(self.editor.name, situation, *self.name, len(self.attempt.turns), **(common | values))

    @property
    def _spent(self) -> bool:
        # the last call is kept for submitting
        return len(self.attempt.turns) >= self.editor.max_calls - 1

    def _call(self, thought: str, tool: str, **arguments: str) -> Reply:
        reply = self.desk.call(tool, arguments)
        self.attempt.turns.append(Turn(thought, tool, arguments, reply))
        return reply

    def _read(self, situation: str, first: int, last: int) -> None:
        book, span = self.task.book, {"first_row": str(first), "last_row": str(last)}
        if not self.knows_name and self._happens(0.7, "guesses the name to read"):
            guess = book.guesses[book.sheet]
            self._call(self._say(situation, sheet=guess), "read_rows", sheet=guess, **span)
            self._call(self._say("inspect"), "inspect_workbook")
            self.inspected = True
        self.knows_name = True
        reply = self._call(self._say(situation), "read_rows", sheet=book.sheet, **span)
        self.saw_formulas |= "=" in reply.text
        self.saw_total |= "Total" in reply.text

    def play(self) -> Attempt:
        """The whole attempt, from the first look to the verdict."""
        self._look()
        self._decide()
        if self._work(self._say("twice" if self.draft.loading == "twice" else "work")):
            self._doubt()
        if len(self.attempt.turns) < self.editor.max_calls:
            self._call(self._say("submit"), "submit")
            self.attempt.closing = self._say("closing")
        self.attempt.reward = float(passes(self.task, self.desk.path))
        return self.attempt

    def _look(self) -> None:
        editor, book = self.editor, self.task.book
        if self._happens(editor.inspects, "looks at the workbook"):
            self._call(self._say("inspect"), "inspect_workbook")
            self.inspected = self.knows_name = True
        if self._happens(editor.reads_all, "all"):
            self._read("all", 1, 60)
        elif self._happens(editor.reads_head + (0.12 if self.inspected else -0.2), "head"):
            self._read("head", 1, pick((5, 6, 8), *self.name, "head rows"))
            if self._happens(editor.reads_tail + (0.1 if self.inspected else -0.2), "tail"):
                self._read("tail", book.last_row - 1, book.last_row + 3)

    def _decide(self) -> None:
        """What the agent is going to write, with the slips it does not know of."""
        task, editor = self.task, self.editor
        skips = 0.94 if self.saw_total else editor.skips_total
        odd = {"summary": 0.72, "formula": editor.odd if task.book_name == "sales" else 0.0, "flag": 0.0}.get(
            task.op, editor.odd
        )
        kinds = {
            "summary": ("unsorted", "percent", "rounding", "no header"), "mean": ("rounding",),
            "formula": ("values",), "count": ("threshold",),
        }  # fmt: skip
        may = kinds.get(task.op, ())
        self.draft = Draft(
            loading=self._loading(),
            skips_total=self._happens(skips, "skips"),
            saves=not self._happens(editor.forgets_save, "forgets"),
            converts="clean" if task.reads_text_numbers and self._happens(0.1, "clean") else "",
            text_date=task.dated and self._happens(editor.text_dates, "text date"),
            zero_based=self._happens(editor.zero_based, "zero"),
            wrong_box=task.figure
            and self._happens(editor.wrong_box * (0.5 if self.inspected else 1.0), "box"),
            misplaced=task.figure and self._happens(editor.misplaces, "misplaces"),
            odd=pick(may, *self.name, "odd kind") if may and self._happens(odd, "odd") else "",
        )
        if not self.knows_name and self._happens(0.75, "guesses sheet"):
            self.draft.guessed_sheet = task.book.guesses[task.book.sheet]

    def _loading(self) -> Loading:
        editor = self.editor
        if not self.task.reads_formula:
            return "values" if self._happens(editor.saves_values * 0.06, "needless values") else "plain"
        if self._happens(editor.loads_twice + (0.15 if self.saw_formulas else 0.0), "twice"):
            return "twice"
        return "values" if self._happens(editor.saves_values, "values") else "plain"

    def _code(self) -> str:
        return code_for(self.task, self.draft, self.editor.style, self.name)

    def _work(self, thought: str) -> bool:
        """Run the script, put right what is refused; False when the calls run out."""
        refusals = 0
        while not self._spent:
            reply = self._call(thought, "run_python", code=self._code())
            if reply.ok:
                self.touched |= self.draft.saves
                if not reply.text.startswith("=") and "written =" not in reply.text:
                    return True
                thought = self._need_values()
                continue
            refusals += 1
            if self._happens(self.editor.repeats_refused, "repeats", refusals):
                thought = self._say("repeat")
            else:
                thought = self._put_right(reply.text.splitlines()[-1])
        return False

    def _put_right(self, error: str) -> str:
        """React to what Python said; returns what the agent says before its next call."""
        draft, task = self.draft, self.task
        if "does not exist" in error:
            draft.guessed_sheet = ""
            if not self.inspected and self._happens(0.6, "inspects late") and not self._spent:
                self._call(self._say("inspect"), "inspect_workbook")
                self.inspected = self.knows_name = True
            return self._say("sheet", name=task.book.sheet)
        if "MergedCell" in error:
            draft.wrong_box = False
            return self._say("merged", box=chosen_box(task, draft))
        if "at least 1" in error:
            draft.zero_based = False
            return self._say("zero")
        if "could not convert" in error and "'None'" not in error:
            draft.converts = "clean"
            return self._say("comma")
        if "'datetime.datetime' and 'str'" in error:
            draft.text_date = False
            return self._say("dates")
        missing = "NoneType" in error or "'None'" in error
        if missing and self.touched and task.reads_formula:
            thought = self._say("gone")
            self._call(thought, "reset_workbook")
            self.touched = False
            return self._say("work")
        if missing or "'str' and 'datetime" in error:
            draft.skips_total = True
            return self._say("total")
        if task.reads_text_numbers and not draft.converts:
            draft.converts = "float" if self._happens(0.6, "plain float") else "clean"
            return self._say("text")
        if task.reads_formula and draft.loading == "plain":
            return self._need_values()
        draft.skips_total = True
        return self._say("total")

    def _need_values(self) -> str:
        careful = self._happens(self.editor.loads_twice, "careful repair")
        self.draft.loading = "twice" if careful else "values"
        return self._say("twice" if careful else "formulas")

    def _doubt(self) -> None:
        """What happens between the first result and the submission."""
        editor = self.editor
        if self._happens(editor.re_reads, "re-reads") and not self._spent:
            self._read("re-read", 1, 60)
            if self._happens(0.3, "re-reads twice") and not self._spent:
                self._read("re-read", 1, 60)
        if not self._happens(editor.verifies, "verifies") or self._spent:
            return
        formulas = self._happens(editor.checks_formulas, "formulas")
        self._verify(formulas)
        draft = self.draft
        if not draft.saves:
            draft.saves = True
            self._again("unsaved", formulas, reset=False)
        if draft.misplaced:
            draft.misplaced = False
            self._again("misplaced", formulas, reset=True)
        if draft.loading == "values" and formulas:
            draft.loading = "twice" if self.task.reads_formula else "plain"
            self._again("frozen", formulas, reset=True)
        if not draft.skips_total and self._happens(0.5, "sees total"):
            draft.skips_total = True
            self._again("included", formulas, reset=self._happens(0.4, "resets"))
        if draft.odd and self._happens(0.75, "compares with the task"):
            draft.odd = ""
            self._again("off", formulas, reset=True)

    def _verify(self, formulas: bool) -> None:
        code = verify_code(self.task, self.editor.style, formulas=formulas)
        self._call(self._say("verify"), "run_python", code=code)

    def _again(self, situation: str, formulas: bool, *, reset: bool) -> None:
        if self._spent:
            return
        thought = self._say(situation)
        if reset:
            self._call(thought, "reset_workbook")
            self.touched = False
            thought = self._say("work")
        if self._work(thought) and not self._spent:
            self._verify(formulas)
