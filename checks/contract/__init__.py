"""Does a user's file keep the contract?"""
