"""What people write on their lists. Each language has people, titles in templates, and sentences for notes.

A name is written as in life; where its letters are not ASCII, the login follows after a slash.
"""
# ruff: noqa: E501 (lists of words read best unbroken)

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, eq=False)
class Language:
    given: str
    family: str
    titles: tuple[tuple[str, ...], ...]
    """A template, and for each of its gaps the words that fit, separated by "|"."""
    notes: tuple[str, ...]
    name: str = "{given} {family}"

    def names(self) -> dict[str, str]:
        """Every name there is, by the login that is made of it."""
        both = [[word.partition("/") for word in words.split()] for words in (self.given, self.family)]
        return {
            f"{given_login or given.lower()}.{family_login or family.lower()}": self.name.format(
                given=given, family=family
            )
            for (given, _, given_login), (family, _, family_login) in product(*both)
        }

    def all_titles(self) -> list[str]:
        return [
            template.format(*words)
            for template, *gaps in self.titles
            for words in product(*(gap.split("|") for gap in gaps))
        ]


ENGLISH = Language(
    given="Ada Ben Chloë/chloe Daniel Emma Finn Grace Harry Isla Jack Kate Liam Maya Noah Olivia Priya Ruth Sam Tess Will",
    family="Archer Baker Carter Dawson Ellis Fletcher Grant Hughes Irving Jordan Knight Lawson Moore Novak O'Neill/oneill Parker Reid Shaw Turner Walsh",
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
            "Book {} {}",
            "a table|the hotel|flights|the meeting room|a haircut|the babysitter|the campsite",
            "for Friday evening|for the summer|in Kraków|in São Paulo|for our anniversary|for the offsite|next week",
        ),
        (
            "Renew {}",
            "the passport|the library books|the domain name|the car insurance|the gym membership|the parking permit|the TLS certificate|the antivirus licence",
        ),
        (
            "{} {}",
            "Read|Finish reading|Return|Lend Sam",
            "“The Left Hand of Darkness”|“Middlemarch”|the book on SQL|the article Priya sent|“Cien años de soledad”",
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
        "The number is on the fridge.",
        "See the email from Tuesday.",
        "They close at six, and all day on Wednesdays.",
        "Should not cost more than £40.",
        "Bring the old one along, or they will not take it.",
        "Needs at least two hours, better three.",
        "We said we would decide after the holidays.",
        "Agreed with Ben: he drives, I pay.",
        "Reference: 2024/7731-B.",
        "https://example.com/orders/48213?tab=status",
        "Last time this took much longer than planned, so start early.",
        "If nobody answers, leave a message and try again tomorrow morning.",
        "Don't forget the receipts 🧾.",
    ),
)
GERMAN = Language(
    given="Anke Björn/bjoern Clara Dirk Elif Franz Greta Hannes Jürgen/juergen Käthe/kaethe Lena Moritz",
    family="Albrecht Bäcker/baecker Dietrich Fuchs Groß/gross Hoffmann Krüger/krueger Lehmann Özdemir/oezdemir Schäfer/schaefer Vogel Weiß/weiss",
    titles=(
        (
            "{} anrufen{}",
            "Hausverwaltung|Zahnärztin|Oma|Finanzamt|Kita|Krankenkasse|Steuerberater|Werkstatt",
            "| wegen des Termins| wegen der Rechnung| und nachfragen| (vormittags!)",
        ),
        (
            "{} {}",
            "Fahrrad|Keller|Küche|Dachrinne|Spülmaschine|Balkontür|Waschbecken",
            "aufräumen|reparieren|ausmessen|sauber machen|streichen|fotografieren",
        ),
        (
            "{} für {} kaufen",
            "Geschenk|Blumen|Kuchen|Getränke|Fahrkarten|Brötchen",
            "Samstag|Jürgens Geburtstag|das Büro|die Gäste|den Ausflug|Käthe",
        ),
        (
            "{} {}",
            "Angebot|Rechnung|Protokoll|Präsentation|Urlaubsantrag|Steuererklärung",
            "schreiben|prüfen|abschicken|überarbeiten|ausdrucken",
        ),
        ("Müll rausbringen: {}", "Papier|Bio|Glas|gelbe Tonne"),
    ),
    notes=(
        "Nummer hängt am Kühlschrank.",
        "Frau Yılmaz weiß Bescheid.",
        "Höchstens 60 €, sonst lieber gebraucht.",
        "Donnerstags bis 20 Uhr geöffnet.",
        "Unterlagen liegen im grünen Ordner.",
        "Beim letzten Mal hat es länger gedauert, also früh anfangen.",
        "Aktenzeichen 12 C 345/24.",
    ),
)
SPANISH = Language(
    given="Álvaro/alvaro Begoña/begona Carmen Diego Elena Íñigo/inigo José/jose Lucía/lucia Martín/martin Noelia Sofía/sofia Tomás/tomas",
    family="Álvarez/alvarez Castro Domínguez/dominguez Fernández/fernandez Ibáñez/ibanez López/lopez Muñoz/munoz Núñez/nunez Peña/pena Ruiz Suárez/suarez Vega",
    titles=(
        (
            "Llamar {} {}",
            "al médico|al banco|a la abuela|al colegio|a la compañía de seguros|a Íñigo|al fontanero",
            "mañana|por la factura|para pedir cita|antes del viernes|por lo del piso",
        ),
        (
            "Comprar {}{}",
            "pan y leche|piñones|un regalo para Begoña|pilas|billetes de tren|jamón|pañales",
            "| de camino a casa| para el cumpleaños| (¡sin falta!)",
        ),
        (
            "{} {}",
            "Arreglar|Limpiar|Pintar|Ordenar|Medir",
            "la cocina|el baño|la habitación de los niños|el garaje|la persiana|la bicicleta",
        ),
        (
            "{} {} para {}",
            "Preparar|Revisar|Enviar|Imprimir",
            "el informe|la presentación|el presupuesto|las fotos",
            "el lunes|la reunión|el cliente|la señora Peña",
        ),
        ("¿{}?", "Renovar el DNI|Cambiar de compañía|Reservar en Cádiz|Apuntarse a natación"),
    ),
    notes=(
        "Preguntar por la señora Muñoz.",
        "Cierran a las dos y abren a las cinco.",
        "El teléfono está en la nevera.",
        "Que no cueste más de 50 €.",
        "Según el correo del martes, falta una firma.",
        "¡Ojo! La última vez tardaron tres semanas.",
    ),
)
FRENCH = Language(
    given="Aurélie/aurelie Benoît/benoit Chloé/chloe Didier Élodie/elodie François/francois Hélène/helene Jérôme/jerome Maëlle/maelle Noémie/noemie Rémi/remi Zoé/zoe",
    family="Bérard/berard Chevalier Delacroix Fauré/faure Garnier Lefèvre/lefevre Marchand Noël/noel Perrin Roussel Séguin/seguin Vidal",
    titles=(
        (
            "Appeler {} {}",
            "le plombier|la mairie|la banque|grand-mère|le garage|l'école",
            "avant midi|pour le rendez-vous|au sujet de la facture|demain|pour l'été",
        ),
        (
            "Acheter {}{}",
            "du pain|des œufs|un cadeau pour Noémie|des billets de train|du fromage de chèvre|des ampoules",
            "| en rentrant| pour dimanche| (deux, s'il y en a)",
        ),
        (
            "{} {}",
            "Nettoyer|Réparer|Ranger|Repeindre|Mesurer",
            "la cuisine|le grenier|la fenêtre de la chambre|le vélo|l'entrée|la boîte aux lettres",
        ),
        (
            "{} {}",
            "Relire|Envoyer|Terminer|Préparer",
            "le devis|le compte rendu|la présentation de lundi|la déclaration d'impôts|le dossier d'Élodie",
        ),
    ),
    notes=(
        "Demander Mme Lefèvre, poste 12.",
        "Fermé le mercredi après-midi.",
        "Pas plus de 45 €, sinon on verra d'occasion.",
        "Le numéro est sur le frigo.",
        "Ça prend toujours plus de temps que prévu : commencer tôt.",
        "N'oublie pas les reçus.",
    ),
)
POLISH = Language(
    given="Agnieszka Bartłomiej/bartlomiej Czesław/czeslaw Dorota Elżbieta/elzbieta Grażyna/grazyna Józef/jozef Łukasz/lukasz Małgorzata/malgorzata Paweł/pawel Stanisław/stanislaw Żaneta/zaneta",
    family="Błaszczyk/blaszczyk Dąbrowa/dabrowa Gołąb/golab Jabłko/jablko Krawczyk Lis Mróz/mroz Nowak Pawlak Sęk/sek Wójcik/wojcik Zając/zajac",
    titles=(
        (
            "Zadzwonić {} {}",
            "do dentysty|do urzędu|do babci|do szkoły|do banku|do pana Wójcika",
            "w sprawie faktury|jutro rano|przed piątkiem|i umówić wizytę",
        ),
        (
            "Kupić {}{}",
            "chleb i masło|żarówki|prezent dla Łukasza|bilety do Gdańska|kwiaty|karmę dla kota",
            "| po drodze| na sobotę| (dwa!)",
        ),
        (
            "{} {}",
            "Posprzątać|Pomalować|Zmierzyć|Sfotografować",
            "kuchnię|łazienkę|piwnicę|balkon|pokój dzieci",
        ),
        (
            "{} {}",
            "Wysłać|Sprawdzić|Dokończyć|Wydrukować",
            "ofertę|sprawozdanie|umowę|zeznanie podatkowe|zdjęcia z wakacji",
        ),
    ),
    notes=(
        "Numer jest na lodówce.",
        "Pytać o panią Zając.",
        "Najwyżej 200 zł.",
        "W środy nieczynne.",
        "Ostatnim razem trwało to dłużej, więc zacząć wcześniej.",
    ),
)
JAPANESE = Language(
    given="由紀/yuki 健太/kenta さくら/sakura 翔/sho 美咲/misaki 大輔/daisuke 陽菜/hina 直樹/naoki 恵/megumi 涼/ryo",
    family="佐藤/sato 鈴木/suzuki 田中/tanaka 渡辺/watanabe 山本/yamamoto 中村/nakamura 小林/kobayashi 加藤/kato 吉田/yoshida 森/mori",
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
ARABIC = Language(
    given="أحمد/ahmad ليلى/layla يوسف/yusuf مريم/maryam خالد/khalid نور/nour سارة/sara عمر/omar هدى/huda زياد/ziad",
    family="حداد/haddad نجار/najjar خوري/khoury منصور/mansour سالم/salem قاسم/qasim عزيز/aziz صباغ/sabbagh رشيد/rashid زيدان/zidan",
    titles=(
        (
            "الاتصال {} {}",
            "بالبنك|بالطبيب|بجدتي|بالمدرسة|بشركة التأمين",
            "غدا|بخصوص الفاتورة|لتحديد موعد|قبل الجمعة",
        ),
        (
            "شراء {}{}",
            "الخبز والحليب|هدية لمريم|تذاكر القطار|مصابيح|قهوة",
            "| في طريق العودة| قبل العطلة| (اثنان)",
        ),
        ("{} {}", "تنظيف|إصلاح|ترتيب|تصوير", "المطبخ|الشرفة|الدراجة|غرفة الأطفال"),
        ("{} {}", "إرسال|مراجعة|طباعة|إنهاء", "التقرير|العرض|الميزانية|محضر الاجتماع"),
    ),
    notes=(
        "الرقم معلق على الثلاجة.",
        "اسأل عن السيدة نجار.",
        "لا أكثر من ٢٠٠ درهم.",
        "مغلق يوم الأربعاء.",
        "في المرة الماضية استغرق وقتا أطول، لذلك ابدأ مبكرا.",
    ),
)
LANGUAGES = (ENGLISH, GERMAN, SPANISH, JAPANESE, FRENCH, POLISH, ARABIC)
