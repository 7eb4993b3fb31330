"""What can be asked of every stage that finds duplicates: who may go, what becomes of them, and what old runs had.

No phase of a stage looks at these: the runner numbers documents so that the smallest of a cluster is the one to stay.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.stages.where import Where


class Choices(BaseModel):
    """Settings of a corpus-wise stage beside its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    PLACE: ClassVar[frozenset[str]] = frozenset({"against"})  # where an index lies: its digest is in the recipe
    CHOICE: ClassVar[frozenset[str]] = frozenset({"where", "action", "drop_from", "among", "against", "keep_index"})

    action: Literal["drop", "mark"] = Field(
        "drop", description="mark: nothing goes; the column `cluster` names the first document of each one's cluster"
    )
    drop_from: Where | None = Field(
        None, description="only documents of these sources may go, `{source: crawl_*}`; of a cluster with others, all"
    )
    among: bool = Field(True, description="documents that may go are also compared with each other: the first stays")
    keep_index: bool = Field(False, description="keep what `against` needs of the documents that stay")
    against: tuple[str, ...] = Field(
        (), description="work folders, or steps, of runs with `keep_index`: what is like their documents goes"
    )

    @field_validator("against", mode="before")
    @classmethod
    def _one_or_many_paths(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _whose_documents(self) -> Choices:
        if self.drop_from is not None and {name for name, patterns in self.drop_from if patterns} != {"source"}:
            raise ValueError("drop_from takes sources only: write `drop_from: {source: crawl_*}`")
        if not self.among and self.drop_from is None and not self.against:
            raise ValueError("among: false leaves nothing to compare: add drop_from or against, or leave it out")
        return self

    def may_go(self, source: str) -> bool:
        """Whether documents of this source may be dropped."""
        return self.drop_from is None or any(fnmatchcase(source, p) for p in self.drop_from.source or ())
