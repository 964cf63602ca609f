"""Tables, figures and studies made of any results."""
