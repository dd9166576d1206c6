--- The user's actions on a suggestion: accept all or a part of it, dismiss it, show another one, request one.
local log = require('ondol.log')
local reports = require('ondol.reports')
local requests = require('ondol.requests')
local sessions = require('ondol.session')
local suggestion = require('ondol.suggestion')
local text = require('ondol.text')
local api = vim.api
local M = {}

--- The visible suggestion, if the text still agrees with it.
---@return ondol.Session|nil
---@return ondol.Suggestion|nil
---@return ondol.Rest|nil
local function shown()
  local session = sessions.of(api.nvim_get_current_buf())
  if not session or not session.visible then
    return nil
  end
  local row, column = sessions.cursor()
  local current = session.suggestions[session.index]
  local rest = current and suggestion.rest(current, row, column)
  return rest and session, current, rest
end

--- Whether a suggestion is visible.
---@return boolean
function M.visible()
  return (shown()) ~= nil
end

--- Whether the line is blank and the suggestion begins with indentation. The Tab key indents in this case.
---@return boolean
function M.only_indents()
  local _, _, rest = shown()
  local before = rest and api.nvim_get_current_line():sub(1, rest.column)
  return rest ~= nil and before:find('%S') == nil and rest.text:find('^[ \t]') ~= nil
end

local function insert(session, current, rest, bytes)
  suggestion.insert(current, rest, bytes)
  local row, column = sessions.cursor()
  if suggestion.rest(current, row, column) then
    local length = text.units(current.text:sub(1, rest.done + bytes), 'utf-16')
    reports.partly_accepted(session, current.item, length)
    session.suggestions, session.index, session.cycled = { current }, 1, false
    sessions.refresh(current.buffer)
  else
    sessions.cancel(session)
    sessions.drop(session)
    requests.run_command_of(session.client, current.item)
  end
end

--- Accepts the visible suggestion. Returns false if there is none.
---@param part 'all'|'word'|'line'
---@return boolean
function M.accept(part)
  local session, current, rest = shown()
  if not session then
    return false
  end
  local bytes = #rest.text
  if part ~= 'all' then
    bytes = part == 'word' and text.first_word(rest.text) or text.first_line(rest.text)
  end
  -- In an expression mapping the text is locked (E565). The text is then inserted after the mapping.
  local done, problem = pcall(insert, session, current, rest, bytes)
  if not done then
    if not tostring(problem):find('E565', 1, true) then
      log.add('not accepted: %s', tostring(problem))
      return false
    end
    vim.schedule(function()
      local now = suggestion.rest(current, sessions.cursor())
      if now then
        insert(session, current, now, bytes)
      end
    end)
  end
  return true
end

--- Hides the suggestion and reports that it was refused. Returns false if there is none.
---@return boolean
function M.dismiss()
  local session = shown()
  if not session then
    return false
  end
  reports.dismissed(session)
  sessions.cancel(session)
  session.dismissed = api.nvim_buf_get_changedtick(0)
  sessions.drop(session)
  return true
end

--- Shows another suggestion. If only one is known, requests more from the server. Returns false if there is none.
---@param step integer 1 or -1
---@return boolean
function M.cycle(step)
  local session = shown()
  if not session then
    return false
  end
  local function go(state)
    if #state.suggestions > 0 then
      state.index = (state.index - 1 + step) % #state.suggestions + 1
      state.cycled = true
      sessions.refresh(api.nvim_get_current_buf())
    end
  end
  if #session.suggestions > 1 then
    go(session)
  else
    sessions.request(api.nvim_get_current_buf(), sessions.invoked, function(state)
      local same = state.suggestions[1] and state.suggestions[1].text
      state.cycled = true
      if same and #state.suggestions > 1 then
        go(state)
      else
        sessions.refresh(api.nvim_get_current_buf())
      end
    end)
  end
  return true
end

--- Requests suggestions now, whatever their confidence.
function M.trigger()
  local buffer = api.nvim_get_current_buf()
  if sessions.of(buffer) then
    sessions.request(buffer, sessions.invoked)
  end
end

return M
