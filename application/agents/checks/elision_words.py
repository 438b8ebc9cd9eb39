"""Words by which a comment says that code was left out, or that what stands is no real code.

Invariant: a word alone says nothing. What counts is the meeting of two: what is left, and that it
stays, follows or is left out; so a title or a sentence about a to-do list is never taken for it.
Each set is the stems of one meaning in the languages that people write comments in.
"""

import re
from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """The words of one meaning, in lower case."""

    words: frozenset[str]
    stems: tuple[str, ...]
    """Beginnings of words."""
    phrases: tuple[str, ...]
    """Several words, or words of scripts that part none."""
    endings: tuple[str, ...]
    """What counts at the end of a comment only."""

    def is_in(self, said: str) -> bool:
        """Whether a comment says it."""
        lower = said.lower()
        words = _WORD.findall(lower)
        return (
            not self.words.isdisjoint(words)
            or any(word.startswith(self.stems) for word in words)
            or any(phrase in lower for phrase in self.phrases)
            or any(lower == ending or lower.endswith(f" {ending}") for ending in self.endings)
        )


_WORD: Final = re.compile(r"\w+")

REST: Final = Meaning(
    words=frozenset((
        "rest", "remainder", "remaining", "other", "others", "existing", "previous", "earlier",
        "original", "current", "same", "above", "keep", "leave", "more", "further", "similar",
        "additional", "everything", "implementation", "code", "logic", "body", "file", "method",
        "methods", "function", "functions", "handler", "handlers", "route", "routes", "import",
        "imports", "tests", "reste", "restant", "restants", "restante", "restantes", "existant",
        "existants", "précédent", "précédents", "précédente", "précédentes", "autre", "autres",
        "suite", "resto", "demás", "existente", "anterior", "otros", "otras", "outros", "outras",
        "altri", "altre", "precedente", "rimanente", "overige", "resterende", "bestaande",
        "vorige", "andere", "resten", "övriga", "övrig", "øvrige", "eksisterende", "reszta",
        "zbytek", "zbývající", "zbytok", "ostatní", "restul", "celelalte", "többi", "maradék",
        "loput", "muu", "geri", "kalan", "diğer", "mevcut", "sisanya", "kode", "phần", "осталось",
        "решта", "інші",
    )),
    stems=(
        "übrige", "restliche", "verbleibende", "bestehende", "vorherige", "bisherige", "weitere",
        "befintlig", "pozostał", "istniejąc", "υπόλοιπ", "остальн", "прежн", "оставш",
        "существующ", "останн",
    ),
    phrases=(
        "all other", "all others", "all the other", "all the others", "còn lại", "その他", "残り",
        "以下", "以降", "他の", "既存", "元の", "其余", "其餘", "其他", "剩余", "剩餘", "余下", "后面", "後面", "原有", "现有",
        "나머지", "기존", "이하", "다른", "باقي", "بقية", "الباقي", "שאר", "יתר", "बाकी", "शेष",
        "ส่วนที่เหลือ", "ที่เหลือ", "โค้ด",
    ),
    endings=(),
)  # fmt: skip
"""What is left."""

STAYS: Final = Meaning(
    words=frozenset((
        "unchanged", "untouched", "unmodified", "intact", "identical", "omitted", "elided",
        "abbreviated", "snipped", "similarly", "unverändert", "gleich", "ausgelassen", "folgt",
        "weggelassen", "identisch", "inchangé", "inchangés", "inchangée", "inchangées",
        "identique", "identiques", "omis", "omiss", "omise", "omises", "idem", "pareil", "igual",
        "iguales", "iguais", "mismo", "misma", "omitido", "omitida", "omitidos", "omitidas",
        "inalterado", "inalterada", "inalterados", "inalteradas", "invariato", "invariati",
        "invariata", "omesso", "omessi", "omessa", "uguale", "immutato", "immutati", "immutata",
        "ongewijzigd", "gelijk", "hetzelfde", "weggelaten", "uendret", "uændret", "uændrede",
        "samma", "samme", "rămâne", "kihagyva", "ugyanaz", "ennallaan", "aynı", "değişmedi",
        "değişmeden", "değiştirilmedi", "atlandı", "kalır", "tetap", "sama", "dihilangkan",
        "παραμένει", "пропущено",
    )),
    stems=(
        "oförändrad", "utelämnad", "niezmienion", "pominięt", "nezměněn", "vynechán",
        "neschimbat", "omis", "változatlan", "muuttumat", "sama", "αμετάβλητ", "ίδι", "неизменн",
        "неизмен", "опущен", "пропущен", "незмінн",
    ),
    phrases=(
        "continue here", "continues here", "continue below", "continues below", "continue as",
        "continues as", "goes here", "go here", "comes here", "same as before", "same as above",
        "remain the same", "remains the same", "remain as", "remains as", "remain here",
        "remains here", "stay the same", "stays the same", "stay as", "stays as", "as before",
        "as above", "as it was", "would go", "would come", "would follow", "will go", "will come",
        "will follow", "should go", "should come", "should follow", "same pattern",
        "the same way", "not shown", "no change", "no changes", "left out", "for brevity",
        "bleibt so", "bleibt wie", "bleiben so", "bleiben wie", "wie bisher", "wie zuvor",
        "wie oben", "wie vorher", "wie gehabt", "comme avant", "sin cambios", "sem alterações",
        "sem mudanças", "sigue igual", "come prima", "som förut", "som før", "som tidigare",
        "bez zmian", "jak wcześniej", "beze změn", "bez změn", "bezo zmien", "tidak berubah",
        "không đổi", "không thay đổi", "giữ nguyên", "như cũ", "без изменений", "не измен",
        "как раньше", "как прежде", "без змін", "не змін", "変更なし", "変更無し", "変更ありません", "そのまま",
        "省略", "同じ", "同様", "不变", "不變", "没有变", "略去", "相同", "保持", "照旧", "照舊", "未改", "未变", "동일", "생략",
        "변경 ?없음", "변경되지", "그대로", "변경하지", "دون تغيير", "بدون تغيير", "كما هو", "كما هي",
        "ללא שינוי", "נשאר", "अपरिवर्तित", "वैसा ही", "समान", "वही", "เหมือนเดิม", "ไม่เปลี่ยน",
        "คงเดิม",
    ),
    endings=(
        "continue", "continues", "follow", "follows", "remain", "remains", "stay", "stays",
        "as is", "bleibt", "bleiben", "permanece", "continúa", "continua", "sigue", "segue",
        "mantém", "mantiene",
    ),
)  # fmt: skip
"""That it stays as it was, follows, or is left out."""

ALONE: Final = re.compile(
    r"(?:unchanged|no changes?|same as (?:before|above|previous|earlier)|as before|etc\.?|snip|"
    r"and so on|and so forth|omitted(?: for brevity)?|truncated(?: for brevity)?|abbreviated|"
    r"(?:your |add |more |the )?(?:\w+ )?(?:code|logic|implementation|content|validation|handling|"
    r"checks?|details?|stuff|body) (?:goes |comes |would go |will go |should go |belongs )?here|"
    r"(?:previous|existing|original|remaining|other|rest of(?: the)?|same) "
    r"(?:code|logic|implementation|content|imports?|methods?|functions?|handlers?|routes?|tests?)|"
    r"rest|(?:the )?(?:rest|remainder) of (?:the |this )?(?:\w+ )?(?:code|file|function|class|component|"
    r"methods?|logic|implementation|imports?)|the rest|keep (?:the )?(?:existing|rest|remaining|original|other|same) .{1,40}|"
    r"(?:repeat|same|similar|likewise|similarly) (?:for|pattern for|as for|with) (?:the )?"
    r"(?:others?|rest|remaining|every|each|all) .{0,40}|"
    r"implementation details? omitted.{0,20}|you get the idea|and more|more (?:to come|follows)|"
    r"usw\.?|etcétera|u\.s\.w\.|m\.m\.|и т\.? ?д\.?|等等?|以下略|以下同様|中略|略|省略|이하 ?생략)[.!]?",
    re.IGNORECASE,
)
"""Whole comments that say it without a second word."""

PROMISED: Final = re.compile(
    r"(?:(?:this |that |it )?(?:is )?(?:still )?(?:to be|needs to be|must be|has to "
    r"be|yet to be|remains to be) (?:implemented|done|completed|written|added|filled in|finished|"
    r"determined|decided|replaced|built|wired)(?: later| here| soon)?\b"
    r"|(?:is |are )?not (?:yet )?(?:implemented|done|finished|written|complete|completed|supported "
    r"yet|wired|ready)(?: yet| here)?$"
    r"|(?:in|for) (?:a |an |the |your )?(?:real|actual|true|full|proper|production|real[- ]world|"
    r"live)[- ]?(?:world |life )?(?:application|app|implementation|project|system|environment|code|"
    r"version|service|server|deployment|setup|scenario|world|production)?(?:, \w|,? "
    r"(?:you|we|this|that|it|one|would|should|check|use|verify|validate|replace|call|do|read|send|"
    r"store|fetch|query|connect|the|there|here|must)\b)"
    r"|(?:implement|finish|complete) (?:me|this|it|that|in|later|here|properly)\b"
    r"|(?:replace|swap|change) (?:this |it |me |that )?(?:with|by|for|before|in) (?:a |an |the |your )?"
    r"(?:real|actual|proper|production|going|live|own|release|deploy)"
    r"|left as an exercise|work in progress|(?:this is )?(?:just |only )?(?:a |an )?(?:simple |basic |"
    r"temporary |mere |empty |minimal )?(?:stub|dummy|placeholder|mock-?up|skeleton|stand-?in|"
    r"workaround|wip|tbd|tba)(?: implementation| only| code| value| function| data| version| for now"
    r"| here)?$"
    r"|(?:temporary|quick|dirty|ugly|nasty) (?:hack|fix|solution|workaround|implementation|stub)\b"
    r"|(?:placeholder|stub|dummy|mock|fake|simulated?) (?:implementation|logic|code|return|response|"
    r"until|for now)\b"
    r"|simulate(?:s|d)? (?:the |a |an )?(?:call|response|request|api|database|delay|network|success|"
    r"saving|sending|login|auth\w*)\b"
    r"|(?:for now|for the moment|at the moment|currently),? (?:we |just |only |simply |always |this )*"
    r"(?:just |only |simply |always )?(?:return|hard-?code|skip|pretend|fake|mock|assume|ignore|"
    r"accept|allow|do nothing|stub)\w*"
    r"|(?:just |simply |always )?(?:return|hard-?code|skip|pretend|fake|mock|assume|ignore|accept|"
    r"allow)\w* .{0,40}(?:for now|until implemented|for the moment)$"
    r"|noch (?:nicht|zu) (?:implementiert|umgesetzt|fertig|erledigen|erledigt|implementieren|machen)"
    r"|muss noch .{0,30}(?:werden|implementiert)|kommt (?:später|noch)|platzhalter$"
    r"|(?:à|a) (?:faire|implémenter|compléter)|pas encore (?:implémenté|fait)"
    r"|(?:por|a) (?:hacer|implementar|completar|fazer)|(?:aún|todavía|ainda) (?:no|não) "
    r"(?:implementad|está|hecho|feito)"
    r"|da (?:implementare|fare|completare)|nog (?:niet|te) (?:geïmplementeerd|doen|implementeren)"
    r"|(?:ещё|еще|пока) не (?:реализован|сделан|готов)|do (?:zrobienia|zaimplementowania)"
    r"|未実装|実装予定|ここに実装|后续实现|待实现|待实作|尚未实现|未实现|待完成|미구현|구현 ?예정|추후 구현)",
    re.IGNORECASE,
)
"""That real code is still to come; read from the beginning of a comment."""

VERBS: Final = re.compile(
    r"(?:implement|add|validate|check|fix|handle|remove|replace|write|finish|use|make|move|support|"
    r"create|build|wire|connect|call|send|store|save|load|read|return|refactor|clean|test|verify|"
    r"ensure|hash|escape|sanitize|authenticate|authorize|protect|hook|complete|fill|decide|define|"
    r"delete|update|query|fetch|persist|log|render|throw|catch|retry|encrypt|parse|compute|improve|"
    r"optimi[sz]e|rewrite|drop|investigate|revisit|consider|rename|expose|enable|disable|paginate|"
    r"real|proper|actual|the real)\w*\b",
    re.IGNORECASE,
)
"""What a note of work to be done begins with; a title begins with a noun."""

MARKER: Final = re.compile(
    r"(?:@todo\b|(?:TODO|FIXME|XXX|HACK|TBD|WIP)(?![\w-])(?=[:(!,.\-–—]|$)"
    r"|(?:todo|fixme|xxx|hack|tbd|wip)(?=[:(]))",
)
MARKED: Final = re.compile(r"(?:TODO|FIXME|XXX|HACK|todo|fixme) (?=[a-z])")
"""A marker without a colon: what follows must begin with a verb."""
UNFINISHED: Final = re.compile(
    r"(?:not (?:yet )?(?:been )?(?:implemented|supported yet|done|finished|available yet|written)"
    r"|(?:todo|fixme|tbd|wip|xxx)\b|unimplemented|unfinished|implement (?:me|this|it)"
    r"|(?:to be|needs to be|must be) (?:implemented|done|written|completed)"
    r"|(?:not implemented|coming soon|under construction|work in progress|stub(?:bed)?)\b"
    r"|(?:method|function|\w+\(?\)?) (?:is )?not (?:yet )?implemented|implementation (?:missing|pending)"
    r"|noch nicht (?:implementiert|umgesetzt|fertig)|nicht implementiert|(?:non|pas encore) implémenté"
    r"|no implementad|não implementad|aún no|todavía no|non implementat|nog niet|niet geïmplementeerd"
    r"|(?:ещё |еще |пока )?не реализован|nie zaimplementowan|ikke implementert|inte implementerad"
    r"|未実装|未实现|尚未实现|未實作|구현되지|미구현)",
    re.IGNORECASE,
)
"""What an error says that stands for a body; read from the beginning of its words."""
