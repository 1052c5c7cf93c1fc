"""The pharmacist's page of a demo: who has open alerts, why, and an order to try.

view.py      what the page shows, in words
trial.py     the drugs that are offered to try; read by a pharmacist
routes.py    its HTTP
templates/, static/   HTML, one style sheet, one script; nothing from elsewhere, nothing inline
"""
