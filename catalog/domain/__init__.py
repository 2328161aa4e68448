"""The words of the product: frozen records, enums and the pure functions over them. Imports nothing from catalog."""
