"""The words of the demo data, in English and, for search and sorting beyond ASCII, Japanese.

After a slash follows the ASCII spelling of a name, for the email.
"""
# ruff: noqa: E501 (word lists are easier to read on one line)

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class DemoProject:
    name: str
    color: str | None = None
    parent: str | None = None
    """The name of a project before this one."""
    is_archived: bool = False


class Topic:
    """Titles of tasks, and the projects, labels and recurrence rules that suit them.

    "" is the inbox, or a task that does not repeat.
    """

    def __init__(self, template: str, *choices: str, projects: str, labels: str, rules: str = "") -> None:
        words = product(*(each.split("|") for each in choices))
        self.titles = [template.format(*each) for each in words]
        self.projects, self.labels, self.rules = projects.split("|"), labels.split("|"), rules.split("|")


@dataclass(frozen=True, eq=False)
class Language:
    given_names: str
    family_names: str
    projects: tuple[DemoProject, ...]
    """People with few tasks have only the first ones."""
    labels: Mapping[str, str]
    """Names and colors."""
    topics: tuple[Topic, ...]
    steps: str
    """Titles of subtasks."""
    notes: tuple[str, ...]
    time_zone: str
    due_times: str
    """In UTC."""
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
        return [title for topic in self.topics for title in topic.titles]


ENGLISH = Language(
    given_names="Ada Ben Chloë/chloe Daniel Emma Finn Grace Harry Isla Jack Kate Liam Maya Noah Olivia Priya Ruth Sam Tess Will",
    family_names="Archer Baker Carter Dawson Ellis Fletcher Grant Hughes Irving Jordan Knight Lawson Moore Novak O'Neill/oneill Parker Reid Shaw Turner Walsh",
    projects=(
        DemoProject("Home", "#2e8b57"),
        DemoProject("Work", "#1e90ff"),
        DemoProject("Garden", "#6b8e23", parent="Home"),
        DemoProject("Website relaunch", "#4169e1", parent="Work"),
        DemoProject("Family", "#ff8c00"),
        DemoProject("Moving to Leeds", is_archived=True),
        DemoProject("Launch week", parent="Website relaunch"),
        DemoProject("Holiday in Portugal", "#ffd700", parent="Family"),
        DemoProject("Health", "#dc143c"),
        DemoProject("Kitchen", parent="Home"),
        DemoProject("Finances", "#708090"),
        DemoProject("Learning", "#8a2be2"),
    ),
    labels={
        "errand": "#ff8c00",
        "computer": "#4682b4",
        "weekend": "#3cb371",
        "phone": "#20b2aa",
        "waiting for": "#a9a9a9",
        "15 minutes": "#ffd700",
        "with others": "#ba55d3",
        "routine": "#8fbc8f",
    },
    topics=(
        Topic(
            "Call {} about {}",
            "the bank|the dentist|the landlord|the school|the insurance|Mum|Zoë|the garage|the vet|HR",
            "the appointment|last month's bill|the new contract|Saturday|the leak|the refund|the form they sent|parking",
            projects="Home|Family|Finances|",
            labels="phone|15 minutes",
        ),
        Topic(
            "Buy {}{}",
            "milk and eggs|oat milk|a birthday card|printer paper|light bulbs|dog food|a present for Grandma|crème fraîche|running shoes|batteries (AA)|flowers 🌷|train tickets",
            "| on the way home| before the weekend| (two of them)| – check the price first",
            projects="Home|Family|Holiday in Portugal|",
            labels="errand|weekend",
        ),
        Topic(
            "{} the {}",
            "Clean|Fix|Measure|Paint|Tidy|Take photos of|Get a quote for",
            "kitchen|bathroom tap|balcony|garden gate|bike|car|bookshelf|garage|hall cupboard|spare room",
            projects="Home|Garden|Kitchen|Moving to Leeds",
            labels="weekend|with others",
            rules="FREQ=WEEKLY|FREQ=MONTHLY|FREQ=MONTHLY;BYDAY=1SA|FREQ=YEARLY|||",
        ),
        Topic(
            "{} {} for {}",
            "Write|Review|Send|Finish|Update|Print",
            "the slides|the report|the budget|the minutes|the invoice|the project plan|the release notes|the offer",
            "Monday|the board|the client|Łukasz|the Berlin office|the quarterly review|the audit|the new team",
            projects="Work|Website relaunch|Launch week",
            labels="computer|waiting for",
            rules="FREQ=WEEKLY|FREQ=DAILY;INTERVAL=3|FREQ=MONTHLY;BYDAY=-1FR||||",
        ),
        Topic(
            "{}{}",
            "Water the plants|Take out the recycling|Back up the laptop|Go for a run 🏃|Defrost the freezer|Pay the rent|File the tax return|Sort the photos|Change the bed linen|Practise the piano|Learn ten kanji: 水 火 木|Plan meals for the week|Unsubscribe from newsletters",
            "|!| (again)| with the kids| this month|, really",
            projects="Home|Health|Learning|",
            labels="routine|weekend",
            rules="FREQ=DAILY|FREQ=WEEKLY|FREQ=WEEKLY;BYDAY=MO,TH|FREQ=WEEKLY;INTERVAL=2|FREQ=MONTHLY|FREQ=YEARLY",
        ),
        Topic(
            "{} with {}",
            "Lunch|Coffee ☕|One-to-one|Catch up|Dinner|Planning",
            "Emma|the new neighbours|Dr Okafor|Renée|the design team|Finn and Isla|my brother",
            projects="Work|Family|",
            labels="with others|waiting for",
            rules="FREQ=WEEKLY|FREQ=MONTHLY||",
        ),
        Topic(
            "Bug: {} {}",
            "login|export|search|the sync|the date picker",
            "is slow|fails on Safari|shows 404",
            projects="Website relaunch|Launch week",
            labels="computer|waiting for",
        ),
    ),
    steps="Make a list|Ask for prices|Look up the opening hours|Write a first draft|Read it once more|Send it off|Put a date in the calendar|Ask Emma|Find the old papers|Say thank you",
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
    time_zone="Europe/London",
    due_times="08:00 09:00 12:00 17:00 18:30",
)
JAPANESE = Language(
    given_names="由紀/yuki 健太/kenta さくら/sakura 翔/sho 美咲/misaki 大輔/daisuke 陽菜/hina 直樹/naoki 恵/megumi 涼/ryo",
    family_names="佐藤/sato 鈴木/suzuki 田中/tanaka 渡辺/watanabe 山本/yamamoto 中村/nakamura 小林/kobayashi 加藤/kato 吉田/yoshida 森/mori",
    name="{family} {given}",
    projects=(
        DemoProject("家", "#2e8b57"),
        DemoProject("仕事", "#1e90ff"),
        DemoProject("ベランダ菜園", "#6b8e23", parent="家"),
        DemoProject("サイト改修", "#4169e1", parent="仕事"),
        DemoProject("家族", "#ff8c00"),
        DemoProject("引っ越し", is_archived=True),
        DemoProject("公開準備", parent="サイト改修"),
        DemoProject("沖縄旅行", "#ffd700", parent="家族"),
        DemoProject("健康", "#dc143c"),
        DemoProject("台所", parent="家"),
        DemoProject("お金", "#708090"),
        DemoProject("勉強", "#8a2be2"),
    ),
    labels={
        "買い物": "#ff8c00",
        "パソコン": "#4682b4",
        "週末": "#3cb371",
        "電話": "#20b2aa",
        "返事待ち": "#a9a9a9",
        "15分": "#ffd700",
        "みんなで": "#ba55d3",
    },
    topics=(
        Topic(
            "{}に電話する{}",
            "歯医者|銀行|おばあちゃん|学校|大家さん|市役所",
            "|(午前中)|。予約の件",
            projects="家|家族|お金|",
            labels="電話|15分",
        ),
        Topic(
            "{}を買う{}",
            "牛乳と卵|電池|誕生日プレゼント|新幹線の切符|花|コピー用紙",
            "|(帰りに)|、2つ|。週末まで",
            projects="家|家族|沖縄旅行|",
            labels="買い物|週末",
        ),
        Topic(
            "{}を{}",
            "台所|自転車|ベランダ|本棚|押し入れ",
            "掃除する|片付ける|直す|写真に撮る",
            projects="家|ベランダ菜園|台所|引っ越し",
            labels="週末|みんなで",
            rules="FREQ=WEEKLY|FREQ=WEEKLY;INTERVAL=2|FREQ=MONTHLY;BYDAY=1SU||",
        ),
        Topic(
            "{}の{}を{}",
            "会議|月曜日|お客様|監査",
            "資料|見積書|議事録|報告書",
            "作る|確認する|送る|印刷する",
            projects="仕事|サイト改修|公開準備",
            labels="パソコン|返事待ち",
        ),
    ),
    steps="リストを作る|値段を調べる|営業時間を確認する|下書きを書く|もう一度読む|送る|日程を決める|由紀さんに聞く|書類を探す|お礼を言う",
    notes=(
        "担当は渡辺さん、内線214。",
        "水曜日は定休日。",
        "予算は5,000円まで。",
        "電話番号は冷蔵庫に貼ってある。",
        "前回は思ったより時間がかかったので、早めに始める。",
    ),
    time_zone="Asia/Tokyo",
    due_times="00:00 01:00 03:00 09:00 10:30",
)
LANGUAGES = (ENGLISH, JAPANESE)
