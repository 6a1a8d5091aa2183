"""Names in two languages, in JSON."""

from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, Field

from device_registry import Name

KindOfFacility = Literal["parking", "charging", "waste", "building"]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Named(Protocol):
    """A registry row with a name."""

    name_zh: str
    name_en: str


class BilingualName(BaseModel):
    """A name in Chinese and in English."""

    zh: Annotated[str, Field(min_length=1, max_length=200, examples=["柳园"])]
    en: Annotated[str, Field(min_length=1, max_length=200, examples=["Willow Garden"])]

    @classmethod
    def of(cls, row: Named) -> "BilingualName":
        """The name of a registry row."""
        return cls.model_construct(zh=row.name_zh, en=row.name_en)

    def plain(self) -> Name:
        """The registry's form."""
        return Name(self.zh, self.en)
