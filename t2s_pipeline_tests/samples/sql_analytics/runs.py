"""One attempt at one question: the agent acts, the database answers, the agent reacts to the answer."""

from __future__ import annotations

import re

from t2s_pipeline_tests.samples.attempt import Attempt, Reply, Turn
from t2s_pipeline_tests.samples.draw import happens, pick
from t2s_pipeline_tests.samples.sql_analytics.agents import Persona, laid_out
from t2s_pipeline_tests.samples.sql_analytics.task import GUESSED, SqlTask, matches
from t2s_pipeline_tests.samples.sql_analytics.tools import Database
from t2s_pipeline_tests.samples.sql_analytics.voice import say
from t2s_pipeline_tests.samples.sql_analytics.warehouse import warehouse

SYSTEM = (
    "You answer questions about the Northbound shop from its DuckDB database. Work with the tools; "
    "when you are "
    "sure, call submit_answer once with a single plain value. You have a limited number of calls."
)
STATUSES = "SELECT status, COUNT(*) AS orders\nFROM orders\nGROUP BY status\nORDER BY orders DESC"
GUESSED_TABLES = {"order_items": "order_lines", "shipments": "deliveries", "warehouses": "depots"}
UNKNOWN_COLUMN = re.compile(r'(?:Referenced column|does not have a column named) "(\w+)"')


class Run:
    """The state of one attempt: what has been seen, what is still wrong with the query."""

    def __init__(self, task: SqlTask, persona: Persona, trial: int, database: Database) -> None:
        self.task, self.persona, self.database = task, persona, database
        self.name = (task.task_id, persona.name, trial)
        self.interactive = persona.name == "orbit-react"
        self.attempt = Attempt(
            task.task_id, trial, persona.name, SYSTEM, task.question, max_calls=persona.max_calls
        )
        self.looked: set[str] = set()
        self.knows_cancelled = False
        self.listed = False
        self.wrong_columns: dict[str, str] = {}
        self.wrong_tables: dict[str, str] = {}
        self.uncast = self.ungrouped = self.fanned = False
        self.body = ""
        self.live = ""
        self.last = Reply("")

    # what happens by chance, in the name of this attempt

    def _happens(self, probability: float, *what: object) -> bool:
        return happens(probability, *self.name, *what)

    def _say(self, situation: str, **values: str) -> str:
        common = {"topic": self.task.topic, "tables": _listed(self.task.tables), "table": self.task.tables[0]}
        return say(self.persona.name, situation, *self.name, len(self.attempt.turns), **(common | values))

    # calls

    @property
    def _spent(self) -> bool:
        return len(self.attempt.turns) >= self.persona.max_calls

    def _call(self, thought: str, tool: str, **arguments: str) -> Reply:
        if self.interactive:
            return self._execute(thought, tool, arguments)
        reply = self.database.call(tool, arguments)
        self.attempt.turns.append(Turn(thought, tool, arguments, reply))
        return reply

    def _execute(self, thought: str, tool: str, arguments: dict[str, str]) -> Reply:
        """InterCode has one tool: every look at the schema is a statement too."""
        match tool:
            case "list_tables":
                statement = "SHOW TABLES"
            case "describe_table":
                statement = f"DESCRIBE {arguments['table']}"
            case _:
                statement = arguments["query"]
        reply = self.database.execute(statement)
        self.attempt.turns.append(Turn(thought, "execute", {"statement": statement}, reply))
        return reply

    def _query(self, thought: str, sql: str) -> Reply:
        return self._call(thought, "run_sql", query=laid_out(sql, self.persona))

    # the attempt

    def play(self) -> Attempt:
        """The whole attempt, from the first look to the verdict."""
        self._look_around()
        self._decide()
        if self._until_answered() and not self._spent:
            self._second_thoughts()
            self._answer()
        else:
            self.attempt.closing = "" if self._spent else self._say("giving up")
        return self.attempt

    def _look_around(self) -> None:
        if self._happens(self.persona.lists_tables, "lists"):
            self._call(self._say("tables"), "list_tables")
            self.listed = True
        if self._happens(self.persona.schema_first, "schema"):
            for place, table in enumerate(self.task.tables):
                if place and self._happens(0.15, "skips", table):
                    continue
                self._describe(table, self._say("schema", table=table) if place < 2 else "")
        elif self._happens(self.persona.dumps_table, "dumps"):
            table = self.task.tables[0]
            self._query(self._say("dump", table=table), f"SELECT * FROM {table}")
            self.looked.add(table)
        seen = "orders" in self.looked
        wish = self.persona.checks_statuses * (1.0 if seen else 0.25) * (1.0 if self.task.needs_live else 0.3)
        if self._happens(wish, "statuses"):
            self._query(self._say("statuses"), STATUSES)
            self.knows_cancelled = True

    def _describe(self, table: str, thought: str) -> None:
        self._call(thought, "describe_table", table=table)
        self.looked.add(table)

    def _decide(self) -> None:
        """Which query the agent has in mind, with the slips it does not know of."""
        task, seen = self.task, bool(self.looked)
        known = 0.95 if self.knows_cancelled else 0.22 if "orders" in self.looked else 0.10
        if task.needs_live and self._happens(known, "live"):
            self.live = pick(self.persona.live_clause, *self.name, "clause")
        self.fanned = bool(task.fan_out) and not self._happens(
            self.persona.avoids_fan_out + (0.12 if seen else -0.10), "safe"
        )
        misread = 0.60 if task.family == "rank" else 0.10
        if self.fanned:
            self.body = task.fan_out
        elif task.odd and self._happens(misread, "odd"):
            self.body = pick(task.odd, *self.name, "which odd")
        else:
            self.body = pick(task.right, *self.name, "which right")
        self._slip()

    def _slip(self) -> None:
        for column, guesses in GUESSED.items():
            owned = re.search(rf"\b\w+\.{column}\b", self.body)
            if (
                owned
                and not self.looked
                and len(self.wrong_columns) < 2
                and self._happens(0.6, "guess", column)
            ):
                self.wrong_columns[column] = pick(guesses, *self.name, column)
        if not self.looked and not self.listed:
            for table, guess in GUESSED_TABLES.items():
                if f" {table} " in self.body and self._happens(0.35, "table", table):
                    self.wrong_tables[table] = guess
        self.uncast = self.task.dated and self._happens(self.persona.forgets_cast, "uncast")
        self.ungrouped = "GROUP BY" in self.body and self._happens(self.persona.forgets_group, "ungrouped")

    def _text(self) -> str:
        live = f"\n  AND {self.live}" if self.live else ""
        sql = self.body.replace("{live}", live).replace("{where_live}", live.replace("AND", "WHERE"))
        if self.ungrouped:
            sql = re.sub(r"\n *GROUP BY [^\n]*", "", sql)
        if self.uncast:
            sql = re.sub(r"<<(.*?)>>", r"\1", sql)
        elif self._happens(0.4, "short cast"):
            sql = re.sub(r"<<(.*?)>>", r"\1::DATE", sql)
        else:
            sql = re.sub(r"<<(.*?)>>", r"CAST(\1 AS DATE)", sql)
        for column, guess in self.wrong_columns.items():
            sql = re.sub(rf"\b(\w+)\.{column}\b", rf"\1.{guess}", sql)
        for table, guess in self.wrong_tables.items():
            sql = sql.replace(f" {table} ", f" {guess} ")
        return sql

    def _first_thought(self) -> str:
        if self.knows_cancelled and self.live:
            return self._say("live")
        if self.task.fan_out and not self.fanned:
            return self._say("safe" if self.task.family == "fan_sum" else "distinct")
        return self._say("query")

    def _until_answered(self) -> bool:
        """Query, put right what is refused, query again; False when the agent gives up or runs out."""
        thought, refusals = self._first_thought(), 0
        while not self._spent:
            self.last = self._query(thought, self._text())
            if self.last.ok:
                return True
            refusals += 1
            if refusals >= 3 and self._happens(self.persona.gives_up, "gives up", refusals):
                return False
            if self._happens(self.persona.repeats_refused, "repeats", refusals):
                thought = self._say("repeat")
                continue
            thought = self._put_right(self.last.text)
        return False

    def _put_right(self, error: str) -> str:
        """React to what the database said; returns what the agent says before its next query."""
        unknown = UNKNOWN_COLUMN.search(error)
        if unknown:
            guess = next(g for g in self.wrong_columns.values() if g == unknown[1])
            column = next(c for c, g in self.wrong_columns.items() if g == guess)
            if self._happens(0.5, "reads schema", column) and not self._spent:
                owner = next(t for t in self.task.tables if self._owns(t, column))
                self._describe(owner, self._say("describe", table=owner))
                self.wrong_columns.clear()
            else:
                del self.wrong_columns[column]
            return self._say("column", guess=guess, column=column)
        if "Referenced table" in error:
            # DuckDB's words for an unknown column of an inner query; they help nobody find the column
            owner = next(t for t in self.task.tables if self._owns(t, next(iter(self.wrong_columns))))
            if not self._spent:
                self._describe(owner, self._say("describe", table=owner))
            self.wrong_columns.clear()
            return self._say("query")
        if "Table with name" in error:
            table = next(iter(self.wrong_tables))
            del self.wrong_tables[table]
            if f'"{table}"' not in error and not self._spent:
                self._call(self._say("tables"), "list_tables")
            return self._say("table", column=table)
        if "GROUP BY" in error:
            self.ungrouped = False
            return self._say("group")
        self.uncast = False
        return self._say("cast", column="placed_on")

    def _owns(self, table: str, column: str) -> bool:
        return column in self.database.call("describe_table", {"table": table}).text

    def _second_thoughts(self) -> None:
        """What the agent does between a result and its answer: checks, doubts, and mere repetition."""
        if self.task.check and self._happens(self.persona.checks_join, "checks"):
            self._query(self._say("check"), self.task.check)
            if self.fanned and not self._spent:
                self.fanned = False
                self.body = pick(self.task.right, *self.name, "after check")
                self.last = self._query(self._say("fanned"), self._text())
            elif self.interactive and not self._spent:
                # the InterCode verifier looks at the last output
                self.last = self._query(self._say("clean"), self._text())
        late = self.task.needs_live and not self.live and not self.knows_cancelled
        if late and self._happens(self.persona.checks_statuses * 0.3, "late") and not self._spent:
            self._query(self._say("late"), STATUSES)
            self.live = pick(self.persona.live_clause, *self.name, "late clause")
            if not self._spent:
                self.last = self._query(self._say("live"), self._text())
        if self.looked and self._happens(self.persona.re_reads_schema, "re-reads") and not self._spent:
            table = sorted(self.looked)[0]
            self._describe(table, self._say("redescribe", table=table))
            if self.interactive and not self._spent:
                self.last = self._query(self._say("again"), self._text())
        elif self._happens(self.persona.repeats_answered, "again") and not self._spent:
            self.last = self._query(self._say("again"), self._text())

    def _answer(self) -> None:
        value = str(self.last.cell)
        if self._spent:
            return
        if self.interactive:
            self.attempt.turns.append(Turn(self._say("submit"), "submit", {}, self.attempt.turns[-1].reply))
            self.last = self.attempt.turns[-1].reply
        else:
            decorated = self._decorated(value)
            reply = self._call(self._say("submit", value=value), "submit_answer", value=decorated)
            if not reply.ok and not self._spent:
                self._call(self._say("format"), "submit_answer", value=value)
        self.attempt.closing = self._say("closing", value=value)
        self.attempt.reward = float(matches(self.task, warehouse(), self.last.cell))

    def _decorated(self, value: str) -> str:
        """Units and separators that people like and the answer box does not."""
        if not self._happens(self.persona.decorates_answer * 2, "decorates") or not re.fullmatch(
            r"[\d.]+", value
        ):
            return value
        if float(value) > 1000:
            return f"{float(value):,.2f}"
        return f"{value} orders" if "orders" in self.task.topic and "." not in value else f"{value} EUR"


def _listed(tables: tuple[str, ...]) -> str:
    quoted = [f"`{table}`" for table in tables]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]
