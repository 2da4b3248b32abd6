"""Charts as SVG, drawn by the server: where things stand is computed here, `static/css/chart.css` says how they look.

A drawing has ten units a day and a thousand from bottom to top, all whole numbers, and is stretched to its box; texts
beside it are placed in percent, so that they stay as large as they are at any width. No chart knows a colour.
"""
