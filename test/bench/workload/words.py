"""What people ask and what tools know: prompts with names, orders, cities, dates and amounts, out of a seed."""

import hashlib
import random

FIRST = ("Anna Ben Carla David Elif Farid Greta Hugo Ines Jonas Katya Leo Mira Nils Olga Pavel Quinn Rosa Sven Tara Uma "
         "Viktor Wanda Xaver Yusuf Zoe Amara Boris Chiara Dunja Emil Fatma").split()
LAST = ("Abend Bakker Conti Demir Eriksen Fontana Garcia Hofmann Ivanova Jansen Keller Lindqvist Moreau Novak Okafor "
        "Petrov Quist Rossi Schmidt Tanaka Ueda Vogel Weber Xu Yilmaz Zeman Almeida Brandt Costa Dubois").split()
CITIES = ("Lisbon Porto Madrid Seville Lyon Nantes Ghent Utrecht Bremen Leipzig Dresden Krakow Brno Vienna Graz Zagreb "
          "Split Trieste Bologna Palermo Athens Izmir Sofia Varna Riga Tartu Turku Bergen Malmo Aarhus Cork Leeds").split()
TOPICS = ("refund policy for late parcels", "battery care of cordless drills", "customs duties on used books",
          "warranty of refurbished laptops", "safe storage of lithium cells", "return of opened cosmetics",
          "delivery to parcel lockers", "price match with other shops", "repair of cracked screens",
          "recycling of printer cartridges", "gift cards that expired", "invoice for a company",
          "change of a delivery address", "damage found after delivery", "spare parts for old kettles",
          "student discount on tablets")
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

    def __init__(self, equal_prompts, equal_arguments):
        self._equal_prompts, self._equal_arguments = equal_prompts, equal_arguments

    def prompt(self, chance):
        if chance.random() < self._equal_prompts:
            chance = random.Random(f"the same {chance.randrange(3)}")
            return compose(chance, details(chance))
        facts = details(chance)
        if chance.random() < self._equal_arguments:
            # Everything a tool is asked for is the same as others ask; only the person and the words are not.
            facts = details(random.Random(f"popular {chance.randrange(3)}")) | {"name": facts["name"]}
        return compose(chance, facts)

    def follow_up(self, chance):
        return chance.choice(FOLLOW_UPS).format(**details(chance))


def compose(chance, facts):
    return " ".join(chance.choice(texts) for texts in (OPENINGS, MIDDLES, CLOSINGS)).format(**facts)


def details(chance):
    return {"name": f"{chance.choice(FIRST)} {chance.choice(LAST)}", "city": chance.choice(CITIES),
            "order": f"{chance.choice('ABCDEFGH')}{chance.choice('KLMNPRST')}-{chance.randrange(10_000, 1_000_000)}",
            "date": f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
            "amount": f"{chance.randrange(500, 200_000) / 100:.2f}", "topic": chance.choice(TOPICS)}


def derived(text, size=10):
    """A number that always is the same for the same text: what a database knows of it."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()[:size]
