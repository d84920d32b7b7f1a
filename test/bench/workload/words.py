"""What people ask and what tools know: prompts with names, orders, cities, dates and amounts, out of a seed."""

import hashlib
import random

FIRST = ("Anna Ben Carla David Elif Farid Greta Hugo Ines Jonas Katya Leo Mira Nils Olga Pavel Quinn Rosa Sven Tara Uma "
         "Viktor Wanda Xaver Yusuf Zoe Amara Boris Chiara Dunja Emil Fatma").split()
LAST = ("Abend Bakker Conti Demir Eriksen Fontana Garcia Hofmann Ivanova Jansen Keller Lindqvist Moreau Novak Okafor "
        "Petrov Quist Rossi Schmidt Tanaka Ueda Vogel Weber Xu Yilmaz Zeman Almeida Brandt Costa Dubois").split()
CITIES = ("Lisbon Porto Madrid Seville Lyon Nantes Ghent Utrecht Bremen Leipzig Dresden Krakow Brno Vienna Graz "
          "Zagreb Split Trieste Bologna Palermo Athens Izmir Sofia Varna Riga Tartu Turku Bergen Malmo Aarhus Cork "
          "Leeds").split()
TOPICS = ("refund policy for late parcels", "battery care of cordless drills", "customs duties on used books",
          "warranty of refurbished laptops", "safe storage of lithium cells", "return of opened cosmetics",
          "delivery to parcel lockers", "price match with other shops", "repair of cracked screens",
          "recycling of printer cartridges", "gift cards that expired", "invoice for a company",
          "change of a delivery address", "damage found after delivery", "spare parts for old kettles",
          "student discount on tablets")
# What there is more of when a vocabulary is large: towns and families (Bremhofer), and topics (return of an old kettle).
SYLLABLES = ("Alt Berg Brem Dorn Eich Fels Gras Hain Ilm Kar Lind Mor Nor Ost Rab Sonn Tann Ulm Wald Zell".split(),
             "ach au bach berg born burg dorf feld hausen heim hofen ingen kirchen leben stadt tal".split())
BETWEEN = ("", "el", "en", "er", "ig", "in", "ol", "or", "um", "us")
MATTERS = ("return of", "repair of", "warranty of", "price of", "delivery of", "spare parts for", "storage of",
           "exchange of", "insurance of", "assembly of", "disposal of", "safety of")
THINGS = ("an old kettle", "a blender", "garden chairs", "a cello", "roller blinds", "a tent", "wall paint",
          "a microscope", "ski boots", "a sewing machine", "bunk beds", "a telescope", "desk lamps", "a rice cooker", "a drone",
          "bicycle tyres", "a mattress", "reading glasses", "a violin bow", "a chain saw", "fish tanks", "a baby seat",
          "solar panels", "a typewriter", "curtain rods")
OPENINGS = ("Hello, this is {name}.", "Hi there, {name} here.", "{name} is writing to us again.",
            "The customer {name} has called.", "Please look after {name}.")
MIDDLES = ("The order {order} of {date} has still not come to {city}, and {amount} EUR were paid.",
           "We owe {amount} EUR for order {order}, sent to {city} on {date}.",
           "Order {order} ({amount} EUR) was to arrive in {city} by {date}.",
           "Of order {order} one piece is missing; {city}, {date}, {amount} EUR in all.")
CLOSINGS = ("Find out what our rules say on \"{topic}\" and answer in two sentences.",
            "Look up \"{topic}\", then tell me what to write.", "What do we say about \"{topic}\" here?",
            "Please check \"{topic}\" as well and open a ticket if you have to.")
FOLLOW_UPS = ("Thanks. And what about order {order}, which went to {city}?",
              "Good. Now add {amount} EUR for the express fee of {date}.",
              "One more thing: {name} also wants to know about \"{topic}\".",
              "Is the weather in {city} on {date} a reason for the delay?")

SYSTEM = ("You are the service agent of a mail order company. Be brief, be exact, and never promise a refund before the "
          "order was looked up. Use the tools; do not guess numbers. When a customer is angry, say sorry once. Dates are "
          "written as 2026-11-27, amounts in EUR with two decimals. Orders older than 730 days are closed. Our hotline is "
          "+49 30 5550 100, open from 08:00 to 18:00, and our address is Lindenweg 12, 10999 Berlin. Documents of the "
          "knowledge base begin with http:// and may be fetched. Delegate long research to a sub-agent. ") * 2
SUB_SYSTEM = ("You are a research agent. You are given one task by another agent, you search and read, and you answer "
              "with what you found and where. You write to nobody else. ") * 2


class Asker:
    """People. `equal_prompts` and `equal_arguments` are shares of tasks, 0 to 1."""

    def __init__(self, words, equal_prompts, equal_arguments):
        self._words = words
        self._equal_prompts, self._equal_arguments = equal_prompts, equal_arguments

    def prompt(self, chance):
        if chance.random() < self._equal_prompts:
            chance = random.Random(f"the same {chance.randrange(3)}")
            return compose(chance, self._words.details(chance))
        facts = self._words.details(chance)
        if chance.random() < self._equal_arguments:
            # Everything a tool is asked for is the same as others ask; only the person and the words are not.
            facts = self._words.details(random.Random(f"popular {chance.randrange(3)}")) | {"name": facts["name"]}
        return compose(chance, facts)

    def follow_up(self, chance):
        return chance.choice(FOLLOW_UPS).format(**self._words.details(chance))


def compose(chance, facts):
    return " ".join(chance.choice(texts) for texts in (OPENINGS, MIDDLES, CLOSINGS)).format(**facts)


class Words:
    """A vocabulary with so many cities and last names, 3,230 at most, and topics, 316 at most. The fewer, the more they
    meet by chance."""

    def __init__(self, size):
        towns = [first + middle + last for middle in BETWEEN for last in SYLLABLES[1] for first in SYLLABLES[0]]
        self.cities = (CITIES + towns)[:size]
        self.last_names = (LAST + [town + "er" for town in towns])[:size]
        self.topics = (TOPICS + tuple(f"{matter} {thing}" for thing in THINGS for matter in MATTERS))[:size]

    def name(self, chance):
        return f"{chance.choice(FIRST)} {chance.choice(self.last_names)}"

    def details(self, chance):
        order = f"{chance.choice('ABCDEFGH')}{chance.choice('KLMNPRST')}-{chance.randrange(10_000, 1_000_000)}"
        return {"name": self.name(chance), "city": chance.choice(self.cities), "order": order,
                "date": f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
                "amount": f"{chance.randrange(500, 200_000) / 100:.2f}", "topic": chance.choice(self.topics)}


def derived(text, size=10):
    """A number that always is the same for the same text: what a database knows of it."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()[:size]
