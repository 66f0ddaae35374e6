"""Names, titles and notes of the demo data, in English and, for search and sorting beyond ASCII, Japanese.

After a slash follows the ASCII spelling of a name, for the email.
"""
# ruff: noqa: E501 (word lists are easier to read on one line)

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, eq=False)
class Language:
    given_names: str
    family_names: str
    titles: tuple[tuple[str, ...], ...]
    """A template, and for each of its placeholders the choices, separated by "|"."""
    notes: tuple[str, ...]
    name: str = "{given} {family}"

    def names(self) -> dict[str, str]:
        """All combinations, by the local part of the email."""
        both = [
            [word.partition("/") for word in words.split()] for words in (self.given_names, self.family_names)
        ]
        return {
            f"{given_ascii or given.lower()}.{family_ascii or family.lower()}": self.name.format(
                given=given, family=family
            )
            for (given, _, given_ascii), (family, _, family_ascii) in product(*both)
        }

    def all_titles(self) -> list[str]:
        return [
            template.format(*words)
            for template, *choices in self.titles
            for words in product(*(each.split("|") for each in choices))
        ]


ENGLISH = Language(
    given_names="Ada Ben Chloë/chloe Daniel Emma Finn Grace Harry Isla Jack Kate Liam Maya Noah Olivia Priya Ruth Sam Tess Will",
    family_names="Archer Baker Carter Dawson Ellis Fletcher Grant Hughes Irving Jordan Knight Lawson Moore Novak O'Neill/oneill Parker Reid Shaw Turner Walsh",
    titles=(
        (
            "Call {} about {}",
            "the bank|the dentist|the landlord|the school|the insurance|Mum|Zoë|the garage|the vet|HR",
            "the appointment|last month's bill|the new contract|Saturday|the leak|the refund|the form they sent|parking",
        ),
        (
            "Buy {}{}",
            "milk and eggs|oat milk|a birthday card|printer paper|light bulbs|dog food|a present for Grandma|crème fraîche|running shoes|batteries (AA)|flowers 🌷|train tickets",
            "| on the way home| before the weekend| (two of them)| – check the price first",
        ),
        (
            "{} the {}",
            "Clean|Fix|Measure|Paint|Tidy|Take photos of|Get a quote for",
            "kitchen|bathroom tap|balcony|garden gate|bike|car|bookshelf|garage|hall cupboard|spare room",
        ),
        (
            "{} {} for {}",
            "Write|Review|Send|Finish|Update|Print",
            "the slides|the report|the budget|the minutes|the invoice|the project plan|the release notes|the offer",
            "Monday|the board|the client|Łukasz|the Berlin office|the quarterly review|the audit|the new team",
        ),
        (
            "{}{}",
            "Water the plants|Take out the recycling|Back up the laptop|Go for a run 🏃|Defrost the freezer|Pay the rent|File the tax return|Sort the photos|Change the bed linen|Practise the piano|Learn ten kanji: 水 火 木|Plan meals for the week|Unsubscribe from newsletters",
            "|!| (again)| with the kids| this month|, really",
        ),
        (
            "{} with {}",
            "Lunch|Coffee ☕|One-to-one|Catch up|Dinner|Planning",
            "Emma|the new neighbours|Dr Okafor|Renée|the design team|Finn and Isla|my brother",
        ),
        ("Bug: {} {}", "login|export|search|the sync|the date picker", "is slow|fails on Safari|shows 404"),
    ),
    notes=(
        "Ask for Mrs Patel, extension 214.",
        "See the email from Tuesday.",
        "Needs at least two hours, better three.",
        "Reference: 2024/7731-B.",
        "https://example.com/orders/48213?tab=status",
        "Last time this took much longer than planned, so start early.",
        "If nobody answers, leave a message and try again tomorrow morning.",
        "Don't forget the receipts 🧾.",
    ),
)
JAPANESE = Language(
    given_names="由紀/yuki 健太/kenta さくら/sakura 翔/sho 美咲/misaki 大輔/daisuke 陽菜/hina 直樹/naoki 恵/megumi 涼/ryo",
    family_names="佐藤/sato 鈴木/suzuki 田中/tanaka 渡辺/watanabe 山本/yamamoto 中村/nakamura 小林/kobayashi 加藤/kato 吉田/yoshida 森/mori",
    name="{family} {given}",
    titles=(
        ("{}に電話する{}", "歯医者|銀行|おばあちゃん|学校|大家さん|市役所", "|(午前中)|。予約の件"),
        (
            "{}を買う{}",
            "牛乳と卵|電池|誕生日プレゼント|新幹線の切符|花|コピー用紙",
            "|(帰りに)|、2つ|。週末まで",
        ),
        ("{}を{}", "台所|自転車|ベランダ|本棚|押し入れ", "掃除する|片付ける|直す|写真に撮る"),
        ("{}の{}を{}", "会議|月曜日|お客様|監査", "資料|見積書|議事録|報告書", "作る|確認する|送る|印刷する"),
    ),
    notes=(
        "担当は渡辺さん、内線214。",
        "水曜日は定休日。",
        "予算は5,000円まで。",
        "電話番号は冷蔵庫に貼ってある。",
        "前回は思ったより時間がかかったので、早めに始める。",
    ),
)
LANGUAGES = (ENGLISH, JAPANESE)
