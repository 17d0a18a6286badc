"""Which column is the user, the item, the rating, the time: by somebody's word, or by the names that headers have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from data.rating_sheet import Sheet, listed, number, shown
from errors import InputError

ROLES = ("user", "item", "rating", "time")
HINT = "name them, --columns user=...,item=...,rating=... (names, or numbers from 1)"

# In small letters and without blanks, dots, hyphens and underscores; the first that a header has is taken, so that an
# id comes before a name or a title.
NAMES: Mapping[str, tuple[str, ...]] = {
    "user": ("userid", "uid", "reviewerid", "customerid", "profileid", "memberid", "viewerid", "listenerid", "readerid",
             "personid", "visitorid", "authorid", "playerid", "accountid", "raterid", "user", "username", "reviewer",
             "customer", "reviewername", "profilename", "reviewprofilename", "member", "nickname", "login", "rater",
             "custid", "useruuid", "email", "reviewers", "u"),
    "item": ("itemid", "iid", "movieid", "asin", "parentasin", "productid", "isbn", "animeid", "artistid", "bookid",
             "jokeid", "goodreadsbookid", "workid", "songid", "trackid", "albumid", "gameid", "appid", "businessid",
             "restaurantid", "placeid", "venueid", "recipeid", "beerid", "beerbeerid", "wineid", "articleid", "showid",
             "filmid", "courseid", "hotelid", "mangaid", "videoid", "item", "isbn13", "movie", "book", "joke",
             "product", "anime", "artist", "song", "track", "album", "game", "film", "restaurant", "title",
             "movietitle", "booktitle", "producttitle", "animetitle", "gametitle", "itemname", "artistname", "i"),
    "rating": ("rating", "ratings", "overall", "bookrating", "starrating", "score", "myscore", "userrating",
               "myrating", "reviewrating", "overallrating", "reviewoverall", "reviewscore", "ratingval", "stars",
               "star", "isrecommended", "liked", "weight", "playcount", "plays", "scrobbles", "listeningcount", "hours",
               "playtimeforever", "value", "rate", "r"),
    "time": ("timestamp", "unixreviewtime", "time", "ratingtimestamp", "reviewtime", "unixtime", "datetime", "date",
             "reviewdate", "tstamp", "dateupdated", "dateadded", "createdat", "ts"),
}
HEADS = (*NAMES["user"], "", "name", "names", "person", "student", "participant", "respondent", "subject", "judge",
         "critic")  # of the column of users in a matrix
NOT_ITEMS = ("reviewid", "ratingid", "sessionid", "rowid", "categoryid", "genreid", "orderid", "id")


def item_first(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first columns, which nothing names, are of an Amazon product and a reviewer, not the reverse.

    >>> item_first([("B00004Y2UT", "A3EDIHS8DWQPEO", "5")]), item_first([("A3EDIHS8DWQPEO", "B00004Y2UT", "5")])
    (True, False)
    """
    return bool(rows) and all(len(row) > 2 and re.fullmatch(r"[B0-9][A-Z0-9]{9}", row[0].strip())
                              and re.fullmatch(r"A[A-Z0-9]{10,20}", row[1].strip()) for row in rows)


def simple(name: str) -> str:
    """
    >>> simple("User-ID"), simple("reviewerID"), simple("Book Rating")
    ('userid', 'reviewerid', 'bookrating')
    """
    return re.sub(r"[\W_]", "", name).lower()


def by_name(header: Sequence[str]) -> dict[str, int] | None:
    """The place of each role in a header; None where user, item or rating has no column of a known name."""
    names = [simple(name) for name in header]
    found = {role: next((names.index(n) for n in NAMES[role] if n in names), None) for role in ROLES}
    if found["item"] is None or not names[found["item"]].endswith("id"):
        # an id of something that is not in the list, if there is just one, comes before a title
        ids = [k for k, n in enumerate(names) if re.fullmatch(r"[a-z]+id", n)
               and n not in NAMES["user"] and n not in NOT_ITEMS and n not in NAMES["item"]]
        known = found["item"] is not None and names[found["item"]] in ("asin", "parentasin", "isbn", "isbn13")
        if len(ids) == 1 and not known:
            found["item"] = ids[0]
    if any(found[role] is None for role in ROLES[:3]):
        return None
    return {role: place for role, place in found.items() if place is not None}


def asked(sheet: Sheet, text: str) -> dict[str, int]:
    """The columns that somebody names: `user=reviewer,item=asin,rating=overall[,time=when]`."""
    found: dict[str, int] = {}
    for word in text.split(","):
        role, equals, name = (part.strip() for part in word.partition("="))
        if not equals or role not in ROLES or role in found or not name:
            raise InputError(f"--columns is like user=reviewer,item=asin,rating=overall, and time= if there is one, "
                             f"each once, not {shown(text)}")
        found[role] = place_of(sheet, name)
    missing = [role for role in ROLES[:3] if role not in found]
    if missing:
        raise InputError(f"--columns names no {' and no '.join(missing)}: it is like "
                         f"user=reviewer,item=asin,rating=overall")
    if len(set(found.values())) < len(found):
        raise InputError(f"--columns {text[:80]}: one column of {sheet.name} is named for two things")
    return found


def place_of(sheet: Sheet, name: str) -> int:
    """Of a column, by its name as it is written, by its name whatever its case, or by its number."""
    header = sheet.header or []
    if name in header:
        return header.index(name)
    alike = [k for k, other in enumerate(header) if simple(other) == simple(name) and simple(name)]
    if len(alike) == 1:
        return alike[0]
    if name.isdecimal() and 1 <= int(name) <= sheet.width:
        return int(name) - 1
    has = f"its columns are {listed(header)}" if header else f"it has {sheet.width} columns and no header"
    raise InputError(f"--columns: {sheet.name} has no column {shown(name)}: {has}")


def said(sheet: Sheet, columns: Mapping[str, int]) -> str:
    """Which were taken, for people."""
    return ", ".join(f"{role} = {called(sheet, place)}" for role, place in columns.items())


def called(sheet: Sheet, place: int) -> str:
    return f"column {place + 1}" + (f" {shown(sheet.header[place])}" if sheet.header else "")


def looks_like_header(fields: Sequence[str]) -> bool:
    """No field is a number; or the first is the name of a user's column, or nothing, and the others are distinct, as
    the items above a matrix are."""
    if not any(number(f) is not None and f.strip().lower() != "nan" for f in fields):
        return any(f.strip() for f in fields)
    head, *others = (f.strip() for f in fields)
    return simple(head) in HEADS and all(others) and len(set(others)) == len(others) > 1
