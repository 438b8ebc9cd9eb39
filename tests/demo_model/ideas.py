# ruff: noqa: RUF001 - they are written as people write them.
"""Fifty everyday ideas in eight languages: what people really ask for first.

Some are made of words that checks look for in code (todo, fixme, stub, not implemented), for such
words are the subject of ordinary software.
"""

from typing import Final

_TITLED: Final = (
    "Todo list\n\n- I want to see my todos and tick them off.",
    "TODO app\n\n- Each todo has a title, a due date and a note.",
    "FIXME tracker\n\n- Collect every FIXME and XXX of our code, with file and owner.",
    "Recipe box\n\n- Keep recipes with ingredients and steps.\n- Search them by ingredient.",
    "Not yet implemented\n\n- A list of wishes that are not implemented yet, with votes.",
    "Placeholder images\n\n- Each placeholder has a width, a height and a colour.",
    "The rest of the code\n\n- Write down which rest of the code is unchanged since the audit.",
    "Your code here\n\n- Members enter their code here and get a discount.",
    "Stub collection\n\n- Each ticket stub has a show, a date and a seat.",
    "And so on\n\n- Notes, lists, ideas, and so on, etc.",
    "Omitted for brevity\n\n- Minutes of meetings; what was omitted for brevity is marked.",
    "Hack log\n\n- Each hack has a person, a machine and a story.",
    "... and more\n\n- A page of links ... with a title ... and a rating.",
    "Frozen orders\n\n- Each order can be repeated: same as before, everything unchanged.",
    "Chores\n\nEach child has chores. Each chore has a day, a child and points.",
    "Plant diary\n\n- When was each plant watered? Who did it?",
    "Book club\n\n- Members propose books and vote.\n- Everyone sees what is read next.",
    "Tool library\n\n- Neighbours lend tools and give them back.",
    "Expenses\n\n- Each expense has an amount, a payer and a receipt. Show what each owes.",
    "Wine cellar\n\n- Bottles by year, region and shelf.",
    "Dog walkers\n\n- Owners book a walker for a day and a time.",
    "Guest book\n\n- Guests leave their name and a few words.",
    "Lost & found\n\n- Each item has a place, a date and a photo link.",
    "Running log\n\n- Each run has a distance, a time and shoes. See the total by month.",
    "Allotment\n\n- Beds, seeds and harvests.\n- What was sown where?",
    # German
    "Aufgabenliste\n\n- Jede Aufgabe hat einen Titel, ein Datum und ist offen oder erledigt.",
    "ToDo-Liste der WG\n\n- Wer putzt wann? Jeder hakt sein Todo ab.",
    "Rezepte\n\n- Rezepte mit Zutaten speichern.\n- Nach Zutaten suchen.",
    "Werkzeugverleih\n\nMan soll sehen, wer den Bohrer hat, und ihn zurückgeben.",
    # French
    "Liste de tâches\n\n- Chaque tâche a un titre et une date.\n- À faire, en cours, fini.",
    "Carnet de recettes\n\n- Garder mes recettes avec leurs ingrédients.",
    "Covoiturage\n\n- Chaque trajet a un conducteur, un départ et des places.",
    # Spanish
    "Todo el inventario\n\n- Todo producto tiene nombre, precio y cantidad.",
    "Todos los métodos\n\n- Todos los alumnos ven todos los métodos de pago.",
    "Biblioteca del barrio\n\n- Prestar libros y saber quién los tiene.",
    "Lista de la compra\n\n- Cada artículo tiene cantidad y tienda.",
    # Portuguese
    "Todo mundo ajuda\n\n- Cada vizinho oferece ajuda e pede ajuda.",
    "Controle de estoque\n\n- Cada produto tem nome, preço e quantidade.",
    "Agenda da clínica\n\n- Marcar consultas por dia e hora.",
    # Japanese
    "やることリスト\n\n- やることを追加して、終わったら消したい。",
    "TODOリスト\n\n- TODOごとに期限とメモがある。",
    "レシピ帳\n\n- 材料からレシピを探したい。",
    # Chinese
    "待办事项\n\n- 每个待办事项有标题和日期。",
    "菜谱\n\n- 我想保存菜谱，并按食材查找。",
    "图书借阅\n\n我们想记录谁借了哪本书。应该能够看到所有的书，并添加新的书。",
    # Arabic
    "قائمة المهام\n\n- لكل مهمة عنوان وتاريخ.",
    "وصفات الطبخ\n\n- أريد حفظ الوصفات والبحث عنها.",
    "مكتبة الحي\n\n- من استعار أي كتاب؟",
)
_PASTED: Final = (
    "Todo: keep track of bicycles. Each bicycle has an owner, a brand and a repair date.",
    "FIXME our price list is a mess!!! each article has a price and a supplier",
)
IDEAS: Final = (*(f"# {idea}" for idea in _TITLED), *_PASTED)
